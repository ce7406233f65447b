#include "tools/xdna-image/recipe_json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/xdna-image/container.hpp"

namespace xdna::tools {
namespace {

using namespace image;
using Json = nlohmann::ordered_json;

Uuid uuid_from(const std::string& text) {
    std::string digits;
    for (const char c : text) {
        if (c != '-') {
            digits += c;
        }
    }
    if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) {
        throw std::runtime_error("uuid: \"" + text + "\" is not a UUID");
    }
    Uuid uuid{};
    for (size_t i = 0; i < uuid.size(); ++i) {
        uuid[i] = static_cast<uint8_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
    }
    return uuid;
}

// Assigns json[key] where there is one; an unknown key is an error, so that no typing mistake
// passes for a default.
class Keys {
  public:
    Keys(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
        if (!json.is_object()) {
            throw std::runtime_error(where_ + ": expected an object");
        }
    }
    template <typename T>
    Keys& take(const char* key, T& value) {
        known_.emplace_back(key);
        if (json_.contains(key)) {
            try {
                get(json_.at(key), value);
            } catch (const nlohmann::json::exception& e) {
                throw std::runtime_error(where_ + "." + key + ": " + e.what());
            }
        }
        return *this;
    }
    void finish() const {
        for (const auto& [key, value] : json_.items()) {
            if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
                throw std::runtime_error(where_ + "." + key + ": no such key");
            }
        }
    }

  private:
    template <std::unsigned_integral T>
    static void get(const Json& json, T& value) {
        // nlohmann would cut a number that does not fit.
        const auto number = json.get<uint64_t>();
        if (!json.is_number_unsigned() || number > std::numeric_limits<T>::max()) {
            throw std::runtime_error(json.dump() + " does not fit its field");
        }
        value = static_cast<T>(number);
    }
    template <typename T>
    static void get(const Json& json, T& value) {
        value = json.get<T>();
    }

    const Json& json_;
    std::string where_;
    std::vector<std::string> known_;
};

template <typename Visit>
void for_each(const Json& list, const std::string& where, Visit&& visit) {
    if (!list.is_null() && !list.is_array()) {
        throw std::runtime_error(where + ": expected a list");
    }
    for (size_t i = 0; i < list.size(); ++i) {
        visit(list[i], where + "[" + std::to_string(i) + "]");
    }
}

PartitionPdi pdi_from(const Json& json, const std::string& where,
                      const std::filesystem::path& folder) {
    PartitionPdi pdi;
    std::string file;
    std::string uuid;
    Json groups;
    Keys(json, where).take("file", file).take("uuid", uuid).take("groups", groups).finish();
    pdi.image = read_file((folder / file).string());
    if (!uuid.empty()) {
        pdi.uuid = uuid_from(uuid);
    }
    for_each(groups, where + ".groups", [&](const Json& g, const std::string& at) {
        CdoGroup group;
        Keys(g, at)
            .take("name", group.name)
            .take("type", group.type)
            .take("pdi_id", group.pdi_id)
            .take("kernel_ids", group.kernel_ids)
            .take("pre_groups", group.pre_groups)
            .finish();
        pdi.groups.push_back(std::move(group));
    });
    return pdi;
}

RecipeKernel kernel_from(const Json& json, const std::string& where) {
    RecipeKernel kernel;
    Json arguments;
    Keys(json, where)
        .take("name", kernel.name)
        .take("instances", kernel.instances)
        .take("kernel_id", kernel.kernel_id)
        .take("functional", kernel.functional)
        .take("arguments", arguments)
        .finish();
    for_each(arguments, where + ".arguments", [&](const Json& a, const std::string& at) {
        RecipeArgument argument;
        Keys(a, at)
            .take("name", argument.name)
            .take("type", argument.type)
            .take("offset", argument.offset)
            .take("bank", argument.bank)
            .finish();
        kernel.arguments.push_back(std::move(argument));
    });
    return kernel;
}

}  // namespace

Json to_json(const XclbinRecipe& recipe, const std::vector<std::string>& pdi_files) {
    Json json;
    json["columns"] = recipe.columns;
    json["start_columns"] = recipe.start_columns;
    json["partition_name"] = recipe.partition_name;
    json["operations_per_cycle"] = recipe.operations_per_cycle;
    json["inference_fingerprint"] = recipe.inference_fingerprint;
    json["pre_post_fingerprint"] = recipe.pre_post_fingerprint;
    json["time_stamp"] = recipe.time_stamp;
    json["banks"] = Json::array();
    for (const RecipeBank& bank : recipe.banks) {
        json["banks"].push_back({{"tag", bank.tag}, {"size_kib", bank.size}, {"base", bank.base}});
    }
    json["kernels"] = Json::array();
    for (const RecipeKernel& kernel : recipe.kernels) {
        Json k = {{"name", kernel.name},
                  {"instances", kernel.instances},
                  {"kernel_id", kernel.kernel_id},
                  {"functional", kernel.functional},
                  {"arguments", Json::array()}};
        for (const RecipeArgument& a : kernel.arguments) {
            k["arguments"].push_back(
                {{"name", a.name}, {"type", a.type}, {"offset", a.offset}, {"bank", a.bank}});
        }
        json["kernels"].push_back(std::move(k));
    }
    json["pdis"] = Json::array();
    for (size_t i = 0; i < recipe.pdis.size(); ++i) {
        Json p = {{"file", pdi_files.at(i)},
                  {"uuid", to_string(recipe.pdis[i].uuid)},
                  {"groups", Json::array()}};
        for (const CdoGroup& g : recipe.pdis[i].groups) {
            p["groups"].push_back({{"name", g.name},
                                   {"type", g.type},
                                   {"pdi_id", g.pdi_id},
                                   {"kernel_ids", g.kernel_ids},
                                   {"pre_groups", g.pre_groups}});
        }
        json["pdis"].push_back(std::move(p));
    }
    return json;
}

XclbinRecipe recipe_from_json(const Json& json, const std::filesystem::path& folder) {
    XclbinRecipe recipe;
    Json banks;
    Json kernels;
    Json pdis;
    Keys(json, "recipe")
        .take("columns", recipe.columns)
        .take("start_columns", recipe.start_columns)
        .take("partition_name", recipe.partition_name)
        .take("operations_per_cycle", recipe.operations_per_cycle)
        .take("inference_fingerprint", recipe.inference_fingerprint)
        .take("pre_post_fingerprint", recipe.pre_post_fingerprint)
        .take("time_stamp", recipe.time_stamp)
        .take("banks", banks)
        .take("kernels", kernels)
        .take("pdis", pdis)
        .finish();
    if (!banks.is_null()) {
        recipe.banks.clear();
    }
    for_each(banks, "recipe.banks", [&](const Json& b, const std::string& at) {
        RecipeBank bank;
        Keys(b, at)
            .take("tag", bank.tag)
            .take("size_kib", bank.size)
            .take("base", bank.base)
            .finish();
        recipe.banks.push_back(std::move(bank));
    });
    for_each(kernels, "recipe.kernels", [&](const Json& k, const std::string& at) {
        recipe.kernels.push_back(kernel_from(k, at));
    });
    for_each(pdis, "recipe.pdis", [&](const Json& p, const std::string& at) {
        recipe.pdis.push_back(pdi_from(p, at, folder));
    });
    return recipe;
}

}  // namespace xdna::tools
