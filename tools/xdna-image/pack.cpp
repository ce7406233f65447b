#include <nlohmann/json.hpp>
#include <ostream>

#include "libxdna/image/pdi.hpp"
#include "libxdna/image/xclbin_recipe.hpp"
#include "tools/xdna-image/commands.hpp"
#include "tools/xdna-image/recipe_json.hpp"

namespace xdna::tools {
namespace {

using namespace image;

XclbinRecipe recipe_for_pdi(Bytes pdi, const PackOptions& options) {
    XclbinRecipe recipe = transaction_recipe(std::move(pdi), options.columns, options.buffers);
    recipe.time_stamp = options.time_stamp;
    RecipeKernel& kernel = recipe.kernels.front();
    kernel.name = options.kernel;
    kernel.instances = {options.instance};
    kernel.kernel_id = options.kernel_id;
    recipe.pdis.front().groups.front().kernel_ids = {options.kernel_id};
    return recipe;
}

}  // namespace

void pack(std::ostream& out, const PackOptions& options) {
    Bytes input = read_file(options.input);
    XclbinRecipe recipe;
    if (!input.empty() && input.front() == '{') {
        recipe = recipe_from_json(nlohmann::ordered_json::parse(input.begin(), input.end()),
                                  std::filesystem::path(options.input).parent_path());
    } else {
        recipe = recipe_for_pdi(std::move(input), options);
    }
    for (const PartitionPdi& pdi : recipe.pdis) {
        (void)parse_pdi(pdi.image);  // refuses what is no PDI
    }
    const Bytes xclbin = serialize(make_xclbin(recipe));
    write_file(options.output, xclbin, options.force);
    out << options.output << ": " << xclbin.size() << " bytes, " << recipe.pdis.size() << " PDIs, "
        << recipe.kernels.size() << " kernels, " << recipe.columns << " columns\n";
}

}  // namespace xdna::tools
