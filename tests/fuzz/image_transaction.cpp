#include "libxdna/image/text.hpp"
#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::transaction(false));
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        Transaction transaction = parse_transaction(bytes);
        xdna::fuzz::expect_same(bytes, serialize(transaction));
        for (const txn::Operation& operation : transaction.operations) {
            (void)to_text(operation);
        }
        const std::array<uint64_t, 4> addresses = {1, 2, 3, ~uint64_t{0}};
        apply_patches(transaction, addresses);
    } catch (const FormatError&) {
    }
    return 0;
}
