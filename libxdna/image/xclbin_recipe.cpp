#include "libxdna/image/xclbin_recipe.hpp"

#include <algorithm>
#include <set>

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "xclbin recipe";
constexpr uint16_t kPhoenixColumns = 5;
constexpr uint32_t kPointerBytes = 8;
constexpr uint32_t kMaxKernelId = 0xFFF;
constexpr uint32_t kMaxFunctional = 3;

[[noreturn]] void reject(std::string_view field, uint64_t value, const std::string& problem) {
    throw FormatError(kContainer, 0, field, value, problem);
}

// Scalar types and their bytes in the register map. Source: Xilinx/XRT,
// src/runtime_src/tools/xclbinutil/KernelUtilities.cxx.
struct ScalarType {
    std::string_view name;
    uint32_t bytes;
};
constexpr ScalarType kScalars[] = {
    {"char", 1},     {"unsigned char", 1}, {"int8_t", 1},       {"uint8_t", 1}, {"int16_t", 2},
    {"uint16_t", 2}, {"int32_t", 4},       {"uint32_t", 4},     {"float", 4},   {"int64_t", 8},
    {"uint64_t", 8}, {"int", 8},           {"unsigned int", 8},
};

bool is_pointer(std::string_view type) {
    return type.ends_with('*');
}

uint32_t type_bytes(const RecipeArgument& argument) {
    if (is_pointer(argument.type)) {
        return kPointerBytes;
    }
    for (const ScalarType& scalar : kScalars) {
        if (scalar.name == argument.type) {
            return scalar.bytes;
        }
    }
    reject("type of argument " + argument.name, 0, "\"" + argument.type + "\" is not a known type");
}

// An identifier of the content: FNV-1a twice, in a version 8 (custom) UUID.
Uuid content_uuid(ByteView bytes) {
    constexpr uint64_t kPrime = 0x100000001B3;
    uint64_t halves[2] = {0xCBF29CE484222325, 0x84222325CBF29CE4};
    for (const uint8_t byte : bytes) {
        for (uint64_t& half : halves) {
            half = (half ^ byte) * kPrime;
        }
    }
    Writer writer;
    writer.write(halves[0]);
    writer.write(halves[1]);
    Uuid uuid{};
    std::copy(writer.view().begin(), writer.view().end(), uuid.begin());
    uuid[6] = (uuid[6] & 0x0F) | 0x80;
    uuid[8] = (uuid[8] & 0x3F) | 0x80;
    return uuid;
}

template <size_t N>
FixedText<N> fixed(const std::string& text, std::string_view field) {
    if (text.size() >= N) {
        reject(field, text.size(),
               "\"" + text + "\" is longer than " + std::to_string(N - 1) + " characters");
    }
    return FixedText<N>(text);
}

AiePartition partition_of(const XclbinRecipe& recipe) {
    if (recipe.columns == 0) {
        reject("columns", 0, "a partition has at least one");
    }
    AiePartition p;
    p.name = recipe.partition_name;
    p.operations_per_cycle = recipe.operations_per_cycle;
    p.inference_fingerprint = recipe.inference_fingerprint;
    p.pre_post_fingerprint = recipe.pre_post_fingerprint;
    p.columns = recipe.columns;
    p.start_columns = recipe.start_columns;
    // Column 0 of Phoenix has no DMA to the host: it takes part only where all five are used.
    for (uint16_t start = 1; recipe.start_columns.empty() && start + p.columns <= kPhoenixColumns;
         ++start) {
        p.start_columns.push_back(start);
    }
    if (p.start_columns.empty()) {
        p.start_columns = {0};
    }
    p.pdis = recipe.pdis;
    for (PartitionPdi& pdi : p.pdis) {
        if (pdi.uuid == Uuid{}) {
            pdi.uuid = content_uuid(pdi.image);
        }
    }
    p.kernel_commit_id = "";
    return p;
}

MemTopology topology_of(const XclbinRecipe& recipe) {
    MemTopology topology;
    for (const RecipeBank& bank : recipe.banks) {
        MemoryBank b;
        b.size = bank.size;
        b.base = bank.base;
        b.tag = fixed<16>(bank.tag, "bank tag");
        topology.banks.push_back(b);
    }
    return topology;
}

uint32_t bank_index(const XclbinRecipe& recipe, const RecipeArgument& argument) {
    const auto found = std::find_if(recipe.banks.begin(), recipe.banks.end(),
                                    [&](const RecipeBank& b) { return b.tag == argument.bank; });
    if (found == recipe.banks.end()) {
        reject("bank of argument " + argument.name, 0,
               "there is no bank \"" + argument.bank + "\"");
    }
    return static_cast<uint32_t>(found - recipe.banks.begin());
}

KernelMetadata metadata_of(const RecipeKernel& kernel) {
    KernelMetadata m;
    m.name = kernel.name;
    m.extended = {Ip::kDpu, kernel.functional, kernel.kernel_id};
    m.instances = kernel.instances;
    for (size_t i = 0; i < kernel.arguments.size(); ++i) {
        const RecipeArgument& a = kernel.arguments[i];
        m.arguments.push_back(
            {a.name, is_pointer(a.type) ? KernelArgument::kGlobal : KernelArgument::kScalar,
             static_cast<uint32_t>(i), type_bytes(a), a.offset, a.type});
    }
    return m;
}

void check_kernels(const XclbinRecipe& recipe, const AiePartition& partition) {
    std::set<std::string> names;
    for (const RecipeKernel& kernel : recipe.kernels) {
        if (kernel.name.empty() || !names.insert(kernel.name).second) {
            reject("kernel name", 0, "\"" + kernel.name + "\" is empty or given twice");
        }
        if (kernel.kernel_id > kMaxKernelId || kernel.functional > kMaxFunctional) {
            reject("kernel id of " + kernel.name, kernel.kernel_id,
                   "IP_LAYOUT has 12 bits for it, and 2 for functional");
        }
        if (partition.pdi_for(kernel.kernel_id) == nullptr) {
            reject("kernel id of " + kernel.name, kernel.kernel_id, "no PDI lists it");
        }
    }
}

XclbinSection section(SectionKind kind, std::string_view name, Bytes data) {
    XclbinSection s;
    s.kind = kind;
    s.name = name;
    s.data = std::move(data);
    return s;
}

const Bytes& required(const Xclbin& xclbin, SectionKind kind) {
    const XclbinSection* found = xclbin.section(kind);
    if (found == nullptr) {
        throw FormatError("xclbin", 0, "section", static_cast<uint32_t>(kind),
                          std::string(section_kind_name(kind)) + " is missing");
    }
    return found->data;
}

}  // namespace

std::vector<RecipeArgument> transaction_arguments(size_t buffers) {
    std::vector<RecipeArgument> arguments = {
        {"opcode", "uint64_t", 0x00, ""},
        {"instr", "char *", 0x08, "SRAM"},
        {"ninstr", "uint32_t", 0x10, ""},
    };
    uint32_t offset = 0x14;
    for (size_t i = 0; i < buffers; ++i) {
        arguments.push_back({"bo" + std::to_string(i), "void*", offset, "HOST"});
        offset += kPointerBytes;
    }
    return arguments;
}

XclbinRecipe transaction_recipe(Bytes pdi, uint16_t columns, size_t buffers) {
    XclbinRecipe recipe;
    RecipeKernel kernel;
    kernel.arguments = transaction_arguments(buffers);
    CdoGroup group;
    group.name = "DPU";
    group.pdi_id = 1;
    group.kernel_ids = {kernel.kernel_id};
    group.pre_groups = {0xC1};
    recipe.pdis.push_back({{}, std::move(pdi), {group}});
    recipe.kernels.push_back(std::move(kernel));
    recipe.columns = columns;
    return recipe;
}

Xclbin make_xclbin(const XclbinRecipe& recipe) {
    const AiePartition partition = partition_of(recipe);
    check_kernels(recipe, partition);
    const MemTopology topology = topology_of(recipe);
    EmbeddedMetadata metadata;
    IpLayout layout;
    Connectivity connectivity;
    for (const RecipeKernel& kernel : recipe.kernels) {
        metadata.kernels.push_back(metadata_of(kernel));
        for (const std::string& instance : kernel.instances) {
            Ip ip;
            ip.properties = Ip::kDpu | kernel.functional << 4 | kernel.kernel_id << 16;
            ip.name = fixed<64>(kernel.name + ":" + instance, "kernel and instance name");
            layout.ips.push_back(ip);
            for (size_t i = 0; i < kernel.arguments.size(); ++i) {
                if (!kernel.arguments[i].bank.empty()) {
                    connectivity.connections.push_back(
                        {static_cast<uint32_t>(i), static_cast<uint32_t>(layout.ips.size() - 1),
                         bank_index(recipe, kernel.arguments[i])});
                }
            }
        }
    }
    // Each bank is a group of its own here, and each connection is listed by group, then by bank.
    Connectivity groups = connectivity;
    groups.connections.insert(groups.connections.end(), connectivity.connections.begin(),
                              connectivity.connections.end());

    Xclbin xclbin;
    xclbin.header.time_stamp = recipe.time_stamp;
    xclbin.header.unique_id = recipe.time_stamp;
    xclbin.sections = {
        section(SectionKind::kMemTopology, "mem_topology", serialize(topology)),
        section(SectionKind::kAiePartition, "aie_partition", serialize(partition)),
        section(SectionKind::kEmbeddedMetadata, "", serialize(metadata)),
        section(SectionKind::kIpLayout, "", serialize(layout)),
        section(SectionKind::kConnectivity, "", serialize(connectivity)),
        section(SectionKind::kGroupConnectivity, "", serialize(groups)),
        section(SectionKind::kGroupTopology, "", serialize(topology)),
    };
    lay_out(xclbin);
    xclbin.header.uuid = content_uuid(serialize(xclbin));
    return xclbin;
}

XclbinRecipe recipe_of(const Xclbin& xclbin) {
    const AiePartition partition =
        parse_aie_partition(required(xclbin, SectionKind::kAiePartition));
    const EmbeddedMetadata metadata =
        parse_embedded_metadata(required(xclbin, SectionKind::kEmbeddedMetadata));
    const MemTopology topology = parse_mem_topology(required(xclbin, SectionKind::kMemTopology));
    const Connectivity connectivity =
        parse_connectivity(required(xclbin, SectionKind::kConnectivity));
    const IpLayout layout = parse_ip_layout(required(xclbin, SectionKind::kIpLayout));

    XclbinRecipe recipe;
    recipe.pdis = partition.pdis;
    recipe.columns = partition.columns;
    recipe.start_columns = partition.start_columns;
    recipe.partition_name = partition.name;
    recipe.operations_per_cycle = partition.operations_per_cycle;
    recipe.inference_fingerprint = partition.inference_fingerprint;
    recipe.pre_post_fingerprint = partition.pre_post_fingerprint;
    recipe.time_stamp = xclbin.header.time_stamp;
    recipe.banks.clear();
    for (const MemoryBank& bank : topology.banks) {
        recipe.banks.push_back({std::string(bank.tag.view()), bank.size, bank.base});
    }
    for (const KernelMetadata& k : metadata.kernels) {
        RecipeKernel kernel;
        kernel.name = k.name;
        kernel.instances = k.instances;
        const KernelExtendedData extended = k.extended.value_or(KernelExtendedData{});
        kernel.kernel_id = extended.dpu_kernel_id;
        kernel.functional = extended.functional;
        for (const KernelArgument& a : k.arguments) {
            kernel.arguments.push_back({a.name, a.type, a.offset, ""});
        }
        for (const Connection& c : connectivity.connections) {
            if (c.ip >= layout.ips.size() ||
                !layout.ips[c.ip].name.view().starts_with(k.name + ":")) {
                continue;
            }
            if (c.argument >= kernel.arguments.size() || c.bank >= recipe.banks.size()) {
                throw FormatError("CONNECTIVITY", 0, "argument index", c.argument,
                                  "no such argument or bank");
            }
            kernel.arguments[c.argument].bank = recipe.banks[c.bank].tag;
        }
        recipe.kernels.push_back(std::move(kernel));
    }
    return recipe;
}

}  // namespace xdna::image
