// Making an xclbin: PDIs, the kernels that they hold, and the memory that kernels reach, turned
// into the sections that XRT reads. The same recipe gives the same bytes.
//
// Values: Xilinx/mlir-aie, python/compiler/aiecc/main.py (what it feeds to xclbinutil).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/embedded_metadata.hpp"
#include "libxdna/image/topology.hpp"
#include "libxdna/image/xclbin.hpp"

namespace xdna::image {

// A kernel's argument, and the bank that its buffer lives in ("" for a scalar).
struct RecipeArgument {
    std::string name;
    std::string type;     // a C type: scalar, or a pointer
    uint32_t offset = 0;  // bytes in the register map
    std::string bank;
};

struct RecipeKernel {
    std::string name = "MLIR_AIE";
    std::vector<std::string> instances = {"MLIRAIE"};  // one CU each
    uint32_t kernel_id = 0x901;
    uint32_t functional = 0;
    std::vector<RecipeArgument> arguments;
};

struct RecipeBank {
    std::string tag;
    uint64_t size = 0;  // KiB
    uint64_t base = 0;
};

struct XclbinRecipe {
    std::vector<PartitionPdi> pdis;  // an all-zero uuid is filled in from the image
    std::vector<RecipeKernel> kernels;
    std::vector<RecipeBank> banks = {{"HOST", 0x10000, 0x4000000}, {"SRAM", 0xC000, 0x4000000}};
    uint16_t columns = 1;
    std::vector<uint16_t> start_columns;  // empty: every column that leaves room, 1 first
    std::string partition_name;           // xclbinutil leaves it empty too
    uint32_t operations_per_cycle = 2048;
    uint64_t inference_fingerprint = 23423;
    uint64_t pre_post_fingerprint = 12345;
    uint64_t time_stamp = 0;
};

// The arguments of a kernel of transaction control code: opcode, instr, ninstr, then `buffers`
// pointers called bo0 and so on.
std::vector<RecipeArgument> transaction_arguments(size_t buffers);

// A recipe for one PDI with one such kernel.
XclbinRecipe transaction_recipe(Bytes pdi, uint16_t columns, size_t buffers = 5);

// Throws FormatError where the recipe contradicts itself: an argument type or bank that is not
// known, two kernels of one name, a kernel id that no PDI lists.
Xclbin make_xclbin(const XclbinRecipe& recipe);

// The other way round: the recipe that `xclbin` can be made from again. Throws FormatError.
XclbinRecipe recipe_of(const Xclbin& xclbin);

}  // namespace xdna::image
