// recipe.json: an XclbinRecipe in text, its PDIs in files beside it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "libxdna/image/xclbin_recipe.hpp"

namespace xdna::tools {

// `pdi_files` are the names to be written for the PDIs' files.
nlohmann::ordered_json to_json(const image::XclbinRecipe& recipe,
                               const std::vector<std::string>& pdi_files);

// Reads the PDIs from `folder`. Throws std::runtime_error that names the key that is wrong.
image::XclbinRecipe recipe_from_json(const nlohmann::ordered_json& json,
                                     const std::filesystem::path& folder);

}  // namespace xdna::tools
