#pragma once

#include <cstddef>
#include <cstdint>

/// The enumerators that generate.py makes of the table: RegisterFile, Port, Slot, Op, Format, with
/// k<Type>Count for each. Op and Format keep llvm-aie's names, so that they can be looked up there.
namespace xdna::isa {
#include "isa/names.inc"
}  // namespace xdna::isa
