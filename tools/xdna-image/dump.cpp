#include <ostream>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/control_elf.hpp"
#include "libxdna/image/embedded_metadata.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/text.hpp"
#include "libxdna/image/topology.hpp"
#include "tools/xdna-image/commands.hpp"

namespace xdna::tools {
namespace {

using namespace image;

// Prints a structure's fields, those that are zero left out.
class FieldPrinter {
  public:
    explicit FieldPrinter(std::ostream& out) : out_(out) {}

    template <std::unsigned_integral T>
    void operator()(std::string_view name, const T& value) {
        if (value != 0) {
            out_ << "  " << name << ' ' << hex(value) << '\n';
        }
    }
    template <typename T, size_t N>
    void operator()(std::string_view name, const std::array<T, N>& values) {
        for (size_t i = 0; i < N; ++i) {
            (*this)(std::string(name) + "[" + std::to_string(i) + "]", values[i]);
        }
    }
    template <size_t N>
    void operator()(std::string_view name, const FixedText<N>& text) {
        out_ << "  " << name << ' ' << text.view() << '\n';
    }

  private:
    std::ostream& out_;
};

void print(std::ostream& out, const Cdo& cdo) {
    size_t index = 0;
    for (const cdo::Command& command : cdo.commands) {
        out << index++ << ": " << to_text(command) << '\n';
    }
}

void print(std::ostream& out, const Pdi& pdi) {
    out << "image header table\n";
    visit_fields(pdi.table, FieldPrinter(out));
    for (size_t i = 0; i < pdi.images.size(); ++i) {
        out << "image " << i << '\n';
        visit_fields(pdi.images[i], FieldPrinter(out));
    }
    for (size_t i = 0; i < pdi.partitions.size(); ++i) {
        const Partition& partition = pdi.partitions[i];
        out << "partition " << i << '\n';
        visit_fields(partition.header, FieldPrinter(out));
        if (const auto* cdo = std::get_if<Cdo>(&partition.data)) {
            out << "CDO, " << cdo->commands.size() << " commands\n";
            print(out, *cdo);
        } else {
            out << std::get<Bytes>(partition.data).size() << " bytes, no CDO\n";
        }
    }
}

void print(std::ostream& out, const Transaction& t) {
    out << "transaction " << +t.major << '.' << +t.minor << ", generation " << +t.generation << ", "
        << +t.columns << " columns, " << +t.rows << " rows (" << +t.mem_tile_rows << " of memory), "
        << t.operations.size() << " operations\n";
    size_t index = 0;
    for (const txn::Operation& operation : t.operations) {
        out << index++ << ": " << to_text(operation) << '\n';
    }
    if (!t.trailer.empty()) {
        out << t.trailer.size() << " bytes follow\n";
    }
}

void print(std::ostream& out, const DpuSequence& sequence) {
    size_t index = 0;
    for (const DpuInstruction& instruction : sequence.instructions) {
        out << index++ << ": " << to_text(instruction) << '\n';
    }
}

void print(std::ostream& out, const ControlElf& elf) {
    out << "ELF, machine " << elf.machine << ", OS ABI " << +elf.os_abi << '.' << +elf.abi_version
        << ", flags " << hex(elf.flags) << '\n';
    for (const ElfSection& section : elf.sections) {
        if (section.type == 0) {
            continue;
        }
        out << "section " << section.name << ", type " << section.type << ", flags "
            << hex(section.flags) << ", " << section.size << " bytes\n";
        if (section.name == ".ctrltext" && looks_like_transaction(section.data)) {
            print(out, parse_transaction(section.data));
        }
    }
    for (const ElfRelocation& r : elf.relocations) {
        const std::string_view schema = schema_name(r.schema);
        const ElfSymbol& symbol = elf.symbols.at(r.symbol);
        out << "relocation at "
            << (symbol.section < elf.sections.size() ? elf.sections[symbol.section].name
                                                     : std::to_string(symbol.section))
            << '+' << hex(r.offset) << ": "
            << (schema.empty() ? "schema " + std::to_string(static_cast<uint32_t>(r.schema))
                               : std::string(schema))
            << ", argument " << symbol.name << " + " << r.addend << '\n';
    }
}

void print(std::ostream& out, const MemTopology& topology) {
    for (size_t i = 0; i < topology.banks.size(); ++i) {
        const MemoryBank& bank = topology.banks[i];
        out << "  bank " << i << ' ' << bank.tag.view() << ", type " << +bank.type << ", "
            << bank.size << " KiB at " << hex(bank.base) << (bank.used != 0 ? "" : ", not used")
            << '\n';
    }
}

void print(std::ostream& out, const Connectivity& connectivity) {
    for (const Connection& c : connectivity.connections) {
        out << "  CU " << c.ip << " argument " << c.argument << ": bank " << c.bank << '\n';
    }
}

void print(std::ostream& out, const IpLayout& layout) {
    for (size_t i = 0; i < layout.ips.size(); ++i) {
        const Ip& ip = layout.ips[i];
        out << "  CU " << i << ' ' << ip.name.view() << ", type " << ip.type << ", subtype "
            << ip.subtype() << ", functional " << ip.functional() << ", kernel id "
            << hex(ip.kernel_id()) << '\n';
    }
}

void print(std::ostream& out, const EmbeddedMetadata& metadata) {
    for (const KernelMetadata& kernel : metadata.kernels) {
        out << "  kernel " << kernel.name << ", type " << kernel.type;
        if (kernel.extended) {
            out << ", kernel id " << hex(kernel.extended->dpu_kernel_id) << ", functional "
                << kernel.extended->functional;
        }
        out << '\n';
        for (const KernelArgument& a : kernel.arguments) {
            out << "    argument " << (a.id ? std::to_string(*a.id) : "-") << ' ' << a.name << ", "
                << a.type << ", " << a.size << " bytes at " << hex(a.offset) << '\n';
        }
        for (const std::string& instance : kernel.instances) {
            out << "    instance " << instance << '\n';
        }
    }
}

void print_list(std::ostream& out, std::string_view name, const std::vector<uint64_t>& values) {
    if (!values.empty()) {
        out << ", " << name;
        for (const uint64_t value : values) {
            out << ' ' << hex(value);
        }
    }
}

void print(std::ostream& out, const AiePartition& partition) {
    out << "  partition \"" << partition.name << "\", " << partition.columns
        << " columns, starting at";
    for (const uint16_t column : partition.start_columns) {
        out << ' ' << column;
    }
    out << ", " << partition.operations_per_cycle << " operations a cycle, fingerprints "
        << partition.inference_fingerprint << ' ' << partition.pre_post_fingerprint << '\n';
    for (size_t i = 0; i < partition.pdis.size(); ++i) {
        const PartitionPdi& pdi = partition.pdis[i];
        out << "  PDI " << i << ", " << to_string(pdi.uuid) << ", " << pdi.image.size()
            << " bytes\n";
        for (const CdoGroup& group : pdi.groups) {
            out << "    group " << group.name << ", type " << +group.type << ", PDI id "
                << hex(group.pdi_id);
            print_list(out, "kernels", group.kernel_ids);
            print_list(out, "before it", group.pre_groups);
            out << '\n';
        }
    }
    for (size_t i = 0; i < partition.pdis.size(); ++i) {
        out << "PDI " << i << '\n';
        print(out, parse_pdi(partition.pdis[i].image));
    }
}

void print_section(std::ostream& out, const XclbinSection& section) {
    switch (section.kind) {
        case SectionKind::kMemTopology:
        case SectionKind::kGroupTopology:
            return print(out, parse_mem_topology(section.data));
        case SectionKind::kConnectivity:
        case SectionKind::kGroupConnectivity:
            return print(out, parse_connectivity(section.data));
        case SectionKind::kIpLayout:
            return print(out, parse_ip_layout(section.data));
        case SectionKind::kEmbeddedMetadata:
            return print(out, parse_embedded_metadata(section.data));
        case SectionKind::kAiePartition:
            return print(out, parse_aie_partition(section.data));
        default:
            return;
    }
}

void print(std::ostream& out, const Xclbin& xclbin) {
    const XclbinHeader& h = xclbin.header;
    out << "xclbin " << to_string(h.uuid) << ", version " << +h.version_major << '.'
        << +h.version_minor << '.' << h.version_patch << ", time stamp " << h.time_stamp << ", "
        << xclbin.sections.size() << " sections\n";
    for (const XclbinSection& section : xclbin.sections) {
        const std::string_view kind = section_kind_name(section.kind);
        out << "section "
            << (kind.empty() ? "kind " + std::to_string(static_cast<uint32_t>(section.kind))
                             : std::string(kind));
        if (!section.name.view().empty()) {
            out << " \"" << section.name.view() << '"';
        }
        out << ", " << section.data.size() << " bytes at " << hex(section.offset) << '\n';
        print_section(out, section);
    }
    for (const Loose& loose : xclbin.loose) {
        out << loose.bytes.size() << " bytes at " << hex(loose.offset) << " belong to no section\n";
    }
}

}  // namespace

void dump(std::ostream& out, ByteView bytes, Kind kind) {
    switch (kind) {
        case Kind::kXclbin:
            return print(out, parse_xclbin(bytes));
        case Kind::kPdi:
            return print(out, parse_pdi(bytes));
        case Kind::kCdo:
            return print(out, parse_cdo(bytes));
        case Kind::kTransaction:
            return print(out, parse_transaction(bytes));
        case Kind::kDpuSequence:
            return print(out, parse_dpu_sequence(bytes));
        case Kind::kElf:
            return print(out, parse_control_elf(bytes));
        case Kind::kErtPacket:
            out << to_text(parse_ert_packet(bytes)) << '\n';
    }
}

}  // namespace xdna::tools
