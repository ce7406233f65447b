#include "tests/unit/image/samples.hpp"

#include "libxdna/image/control_elf.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::image::samples {

Cdo cdo() {
    using namespace cdo;
    Words many(300);
    for (size_t i = 0; i < many.size(); ++i) {
        many[i] = static_cast<uint32_t>(i * 0x01010101);
    }
    const auto at = [](uint32_t column, uint32_t row, uint32_t offset) -> uint64_t {
        return TileAddress{column, row, offset}.encode();
    };
    Cdo c;
    c.commands = {
        {Nop{}},
        {Write{at(0, 0, 0x1D204), 0x80000000}},
        {Write{at(1, 2, 0x1F000), 5, true}},
        {MaskWrite{at(0, 2, 0x32000), 2, 2}},
        {MaskWrite{at(0, 2, 0x32000), 1, 1, true}},
        {MaskPoll{at(0, 2, 0x32004), 1, 1, 1000, {}, {}}},
        {MaskPoll{at(0, 2, 0x32004), 1, 1, 1000, 7, 0xBAD, true}},
        {Delay{100}},
        {Nop{{1, 2}}},
        {DmaWrite{at(0, 2, 0x20000), {0xDEADBEEF, 1, 2, 3}}},
        {DmaWrite{at(0, 1, 0), many}},
        {DmaTransfer{0x100000000, at(0, 1, 0x40), 16, 1}},
        {Fill{at(0, 2, 0), 64, 0xFFFFFFFF}},
        {KeyholeWrite{at(0, 0, 0x14000), 4, {9, 8, 7}}},
        {Other{kMarker, {1, 0x746F6F62}}},
        {Other{0x7FF, {3}}},
        {Write{at(0, 0, 0x14010), 1}, true},
        {EndMark{}},
    };
    return c;
}

Pdi pdi() {
    return make_pdi(cdo());
}

Transaction transaction(bool optimized) {
    using namespace txn;
    Transaction t;
    if (optimized) {
        t.major = 1;
        t.minor = 0;
    }
    t.columns = 2;
    const uint32_t bd = TileAddress{1, 0, 0x1D020}.encode();
    t.operations = {
        BlockWrite{bd, {256, 0x1000, 0x40000000, 0, 0, 0, 0, 0x02000000}},
        DdrPatch{bd + 4, 1, 64},
        Write{TileAddress{1, 0, 0x1D214}.encode(), 0x80000001},
        MaskWrite{TileAddress{1, 0, 0x1D210}.encode(), 0xF00, 0xFF00},
        MaskPoll{TileAddress{0, 2, 0x32004}.encode(), 0, 4},
        MaskPoll{TileAddress{0, 2, 0x32004}.encode(), 1, 1, true},
        Noop{},
        Preempt{2},
        LoadPdi{7, 4096, 0x400010000},
        LoadPmStart{0x123456, 9},
        CreateScratchpad{0, 4096, 0x100},
        UpdateStateTable{3, 1, 42},
        UpdateRegister{3, 2, 1, 0x1D000},
        UpdateScratch{},
        Sync{0, 0, 1, 1, 1, 1},
        Sized{kReadRegisters, {1, 0x32004}},
        Sized{kRecordTimer, {5}},
        Sized{kMergeSync, {}},
    };
    return t;
}

DpuSequence dpu_sequence() {
    DpuSequence s;
    s.instructions = {
        {0x00000000, {}},
        {0x01000003, {1, 2, 3, 4, 5, 6, 7, 8}},
        {0x01010200, {1, 2, 3, 4, 5, 6}},
        {0x02010000, {0x1D204, 0x80000000}},
        {0x03000000, {0x00010100}},
        {0x12000002, {1, 2, 3, 4}},
        {0x10000001, {}},
    };
    return s;
}

std::vector<ert::Packet> ert_packets() {
    using namespace ert;
    Packet cu{StartCu{{1, {0, 4}}, {3, 0, 0x4001000, 0, 14, 0x7F000000, 0x7FFF}}};
    Packet npu{StartNpu{{1, {}}, 0x4001000, 512, {0x10002}, {3}}};
    Packet preempt{StartNpuPreempt{{2, {}}, 0x1000, 0x2000, 0x3000, 16, 32, 48, {}, {1, 2}}};
    Packet elf{StartNpuPreempt{{1, {}}, 0x1000, 0x2000, 0x3000, 16, 32, 48, {5}, {}, true}};
    elf.state = static_cast<uint8_t>(State::kCompleted);
    Packet chain{CmdChain{1, 2, {11, 12, 13}, {}, {}}};
    chain.type = 3;
    Packet other{Other{31, {1, 2, 3}}};
    other.custom = 0xFF;
    return {cu, npu, preempt, elf, chain, other};
}

Xclbin xclbin() {
    Xclbin x = make_xclbin(transaction_recipe(serialize(pdi()), 2, 3));
    XclbinSection unknown;
    unknown.kind = static_cast<SectionKind>(999);
    unknown.name = "mystery";
    unknown.data = {1, 2, 3, 4, 5};
    x.sections.push_back(unknown);
    lay_out(x);
    return x;
}

Bytes control_elf() {
    // Sections: null, .ctrltext, .dynstr, .dynsym, .rela.dyn, .shstrtab.
    constexpr uint32_t kText = 1;
    constexpr uint32_t kStrings = 2;
    constexpr uint32_t kSymbols = 3;
    const auto schema = [](PatchSchema s) { return static_cast<uint32_t>(s); };

    Writer text;
    text.words(std::vector<uint32_t>{256, 0x1000, 0x40000001, 0, 0, 0, 0, 0x02000000,  // a shim BD
                                     0, 0, 0x20, 0x7000, 0xBB11AAAA, 0, 0, 0});
    const std::string strings = std::string("\0", 1) + "3" + '\0' + "4" + '\0';
    Writer symbols;
    const auto symbol = [&](uint32_t name, uint32_t size, uint16_t section) {
        symbols.write(name);
        symbols.write(uint32_t{0});
        symbols.write(size);
        symbols.write(uint8_t{0x11});
        symbols.write(uint8_t{0});
        symbols.write(section);
    };
    symbol(0, 0, 0);
    symbol(1, 1024, kText);
    symbol(3, 0x00FF0000, kText);
    Writer relocations;
    const auto relocation = [&](uint32_t offset, uint32_t sym, uint32_t type, uint32_t addend) {
        relocations.write(offset);
        relocations.write(sym << 8 | type);
        relocations.write(addend);
    };
    relocation(0, 1, schema(PatchSchema::kShimDma48), 64);
    relocation(32, 1, schema(PatchSchema::kControlPacket48), 0);
    relocation(48, 2, schema(PatchSchema::kScalar32), 0);
    relocation(56, 1, schema(PatchSchema::kAddress64), 0);
    const std::string names = std::string("\0", 1) + ".ctrltext" + '\0' + ".dynstr" + '\0' +
                              ".dynsym" + '\0' + ".rela.dyn" + '\0' + ".shstrtab" + '\0';

    struct Piece {
        uint32_t name, type, flags, link, entry;
        Bytes data;
    };
    const auto bytes = [](const std::string& s) { return Bytes(s.begin(), s.end()); };
    const std::vector<Piece> pieces = {
        {1, 1, 6, 0, 0, text.view()},
        {11, 3, 2, 0, 0, bytes(strings)},
        {19, 11, 2, kStrings, 16, symbols.view()},
        {27, 4, 2, kSymbols, 12, relocations.view()},
        {37, 3, 0, 0, 0, bytes(names)},
    };
    constexpr uint32_t kHeader = 52;
    uint32_t at = kHeader;
    Writer body;
    Writer headers;
    headers.zeros(40);
    for (const Piece& p : pieces) {
        const auto size = static_cast<uint32_t>(p.data.size());
        for (const uint32_t field :
             {p.name, p.type, p.flags, 0U, at, size, p.link, 0U, 4U, p.entry}) {
            headers.write(field);
        }
        body.bytes(p.data);
        body.align(4);
        at = kHeader + static_cast<uint32_t>(body.size());
    }
    Writer elf;
    elf.bytes(std::array<uint8_t, 16>{0x7F, 'E', 'L', 'F', 1, 1, 1, 64, 2});
    elf.write(uint16_t{2});  // EXEC
    elf.write(uint16_t{1});  // EM_M32
    elf.write(uint32_t{1});
    elf.zeros(8);
    elf.write(at);
    elf.write(uint32_t{0});
    for (const uint16_t field : {52, 32, 0, 40, 6, 5}) {
        elf.write(field);
    }
    elf.bytes(body.view());
    elf.bytes(headers.view());
    return elf.take();
}

}  // namespace xdna::image::samples
