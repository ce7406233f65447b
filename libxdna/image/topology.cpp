#include "libxdna/image/topology.hpp"

#include <concepts>

namespace xdna::image {
namespace {

template <typename T, typename Plain>
concept Is = std::same_as<std::remove_const_t<T>, Plain>;

template <Is<MemoryBank> T, typename Visit>
void visit_fields(T& bank, Visit&& visit) {
    visit("bank type", bank.type);
    visit("bank used", bank.used);
    visit("bank padding", bank.padding);
    visit("bank size", bank.size);
    visit("bank base", bank.base);
    visit("bank tag", bank.tag);
}
template <Is<Connection> T, typename Visit>
void visit_fields(T& connection, Visit&& visit) {
    visit("argument index", connection.argument);
    visit("IP index", connection.ip);
    visit("bank index", connection.bank);
}
template <Is<Ip> T, typename Visit>
void visit_fields(T& ip, Visit&& visit) {
    visit("IP type", ip.type);
    visit("IP properties", ip.properties);
    visit("IP base", ip.base);
    visit("IP name", ip.name);
}

// A count, `header` bytes in all, then rows of `row` bytes to the end of the section.
template <typename Row>
std::vector<Row> parse_rows(ByteView section, std::string_view container, size_t header,
                            size_t row) {
    Reader reader(section, container);
    const uint32_t count = reader.u32("count");
    reader.bytes(header - 4, "padding");
    if (uint64_t{count} * row != reader.left()) {
        throw FormatError(container, 0, "count", count,
                          hex(reader.left()) + " bytes follow, rows have " + std::to_string(row));
    }
    std::vector<Row> rows(count);
    for (Row& r : rows) {
        visit_fields(r, [&](std::string_view name, auto& value) { reader.read(value, name); });
    }
    return rows;
}

template <typename Row>
Bytes serialize_rows(const std::vector<Row>& rows, size_t header) {
    Writer writer;
    writer.write(static_cast<uint32_t>(rows.size()));
    writer.zeros(header - 4);
    for (const Row& r : rows) {
        visit_fields(r, [&](std::string_view, const auto& value) { writer.write(value); });
    }
    return writer.take();
}

}  // namespace

MemTopology parse_mem_topology(ByteView section) {
    return {parse_rows<MemoryBank>(section, "MEM_TOPOLOGY", 8, 40)};
}
Connectivity parse_connectivity(ByteView section) {
    return {parse_rows<Connection>(section, "CONNECTIVITY", 4, 12)};
}
IpLayout parse_ip_layout(ByteView section) {
    return {parse_rows<Ip>(section, "IP_LAYOUT", 8, 80)};
}

Bytes serialize(const MemTopology& topology) {
    return serialize_rows(topology.banks, 8);
}
Bytes serialize(const Connectivity& connectivity) {
    return serialize_rows(connectivity.connections, 4);
}
Bytes serialize(const IpLayout& layout) {
    return serialize_rows(layout.ips, 8);
}

}  // namespace xdna::image
