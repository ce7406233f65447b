#include "tests/conformance/library.hpp"

#include <cstring>

namespace xdna::conformance {

void Library::SetUp() {
    forget_rule();
    xdna_device* opened = nullptr;
    ASSERT_EQ(Status(xdna_device_open(target().node.c_str(), &opened)), kOk) << message();
    device.reset(opened);
}

void Library::TearDown() {
    EXPECT_TRUE(IsSkipped() || HasFatalFailure() || !stated_rule().empty())
        << "this case states no rule";
}

Status Library::make_bo(xdna_bo_type type, uint64_t size, Bo& out) const {
    xdna_bo* made = nullptr;
    Status status(xdna_bo_create(device.get(), type, size, &made));
    out.reset(made);
    return status;
}

Bo Library::bo(xdna_bo_type type, uint64_t size) const {
    Bo made;
    EXPECT_EQ(make_bo(type, size, made), kOk) << message();
    return made;
}

Bo Library::dev_bo(const Words& words) const {
    const uint64_t bytes = words.size() * sizeof(uint32_t);
    Bo made = bo(XDNA_BO_DEV, bytes);
    if (made) {
        memcpy(xdna_bo_memory(made.get()), words.data(), bytes);
        EXPECT_EQ(Status(xdna_bo_sync(made.get(), XDNA_SYNC_TO_DEVICE, 0, bytes)), kOk);
    }
    return made;
}

void LibraryContext::SetUp() {
    ASSERT_NO_FATAL_FAILURE(Library::SetUp());
    context = make_context();
    ASSERT_TRUE(context);
    empty_code = dev_bo(empty_transaction());
    ASSERT_TRUE(empty_code);
}

Hwctx LibraryContext::make_context(const Words& pdi) const {
    const xdna_hwctx_options options{.columns = 1};
    xdna_hwctx* made = nullptr;
    EXPECT_EQ(Status(xdna_hwctx_create(device.get(), &options, &made)), kOk) << message();
    Hwctx owned(made);
    if (owned) {
        const xdna_cu cu{.pdi = pdi.data(), .pdi_size = pdi.size() * sizeof(uint32_t)};
        EXPECT_EQ(Status(xdna_hwctx_configure(made, &cu, 1)), kOk) << message();
    }
    return owned;
}

Cmd LibraryContext::command(xdna_hwctx* on) const {
    xdna_cmd* made = nullptr;
    EXPECT_EQ(Status(xdna_cmd_create(on, 0, &made)), kOk) << message();
    return Cmd(made);
}

Cmd LibraryContext::filled(xdna_hwctx* on, const Bo& code) const {
    Cmd made = command(on);
    if (made) {
        const xdna_code part{
            .bo = code.get(), .offset = 0, .size = static_cast<uint32_t>(xdna_bo_size(code.get()))};
        EXPECT_EQ(Status(xdna_cmd_set_start_npu(made.get(), 0, &part, nullptr, 0)), kOk)
            << message();
    }
    return made;
}

}  // namespace xdna::conformance
