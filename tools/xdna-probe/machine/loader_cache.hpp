// /etc/ld.so.cache: which file the dynamic loader takes for a library name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xdna::probe {

struct LoaderEntry {
    std::string name;  ///< "libxrt_core.so.2"
    std::string path;
};

/// Entries in the cache's order, from the binary file or from the text "name => path" that a
/// captured tree holds. Never reads past `bytes`; what is damaged is left out.
std::vector<LoaderEntry> loader_cache(std::string_view bytes);

}  // namespace xdna::probe
