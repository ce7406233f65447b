#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/as/diagnostic.hpp"
#include "kernels/as/object.hpp"

namespace xdna::as {

struct Options {
    std::vector<std::filesystem::path> include_folders;
    std::map<std::string, std::int64_t> defines;
    /// Align what is jumped to, called or returned to, and loops, to 16 bytes, as llvm-aie does.
    bool auto_align = true;
    bool check_latency = false;
    bool insert_nops = false;
    /// Overlap the iterations of `.pipeline` loops. If not, they run one after the other.
    bool pipeline = true;
};

/// Assembles one source in llvm-aie's syntax for AIE2 into a relocatable object. Nothing if there
/// are errors in `diagnostics`; warnings may be there in either case. What check_latency finds is
/// a warning.
[[nodiscard]] std::optional<Object> assemble(const std::string& name, std::string_view source,
                                             const Options& options, Diagnostics& diagnostics);

}  // namespace xdna::as
