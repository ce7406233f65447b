// The server's packet handler, against a driver that only records.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "emu/uapi/server_files.hpp"
#include "emu/uapi/server_session.hpp"

namespace xdna::emu {
namespace {

struct Record {
    int open_files = 0;
    int calls = 0;
    std::vector<uint64_t> unmapped;
};

class RecordingFile : public File {
  public:
    explicit RecordingFile(Record& record) : record_(record) { ++record_.open_files; }
    ~RecordingFile() override { --record_.open_files; }
    int ioctl(Caller&, unsigned long, void* argument) override {
        ++record_.calls;
        ++*static_cast<uint32_t*>(argument);
        return -EBUSY;
    }
    int mmap(Caller&, uint64_t, uint64_t, int, int, Mapping& out) override {
        out.memory.reset(::memfd_create("test", MFD_CLOEXEC));
        out.offset = 4096;
        return 0;
    }
    void mapped(pid_t, uint64_t, uint64_t, uint64_t) override {}
    void unmapped(pid_t, uint64_t address, uint64_t) override {
        record_.unmapped.push_back(address);
    }
    std::string fdinfo() const override { return "of:\tthe driver\n"; }

  private:
    Record& record_;
};

class RecordingDriver : public Driver {
  public:
    explicit RecordingDriver(Record& record) : record_(record) {}
    int open(Caller&, std::unique_ptr<File>& out) override {
        out = std::make_unique<RecordingFile>(record_);
        return 0;
    }
    std::vector<LogLine> log() const override { return {}; }

  private:
    Record& record_;
};

/// A client whose memory is one word, at address 4096.
class WordCaller : public Caller {
  public:
    static constexpr uint64_t kAddress = 4096;
    uint32_t word = 0;

    pid_t pid() const override { return 1234; }
    bool capable_sys_admin() const override { return false; }
    bool capable_ipc_lock() const override { return false; }
    uint64_t memlock_limit() const override { return 0; }
    int copy_in(void* to, uint64_t from, size_t size) override {
        if (from != kAddress || size > sizeof word)
            return -EFAULT;
        std::memcpy(to, &word, size);
        return 0;
    }
    int copy_out(uint64_t to, const void* from, size_t size) override {
        if (to != kAddress || size > sizeof word)
            return -EFAULT;
        std::memcpy(&word, from, size);
        return 0;
    }
    UniqueFd take_fd(int) override { return {}; }
    void give_fd(UniqueFd, size_t, bool) override {}
    bool interrupted() const override { return false; }
    void on_interrupt(std::function<void()>) override {}
};

class SessionTest : public ::testing::Test {
  protected:
    static constexpr unsigned long kRequest = _IOWR('d', 0x40, uint32_t);

    Session::Outcome handle(wire::Op op, uint64_t file = 0, uint64_t a = 0, uint64_t b = 0,
                            uint64_t c = 0, uint64_t d = 0) {
        const wire::Request request{op, 0, file, {a, b, c, d}};
        return session_.handle(std::as_bytes(std::span(&request, 1)), caller_);
    }
    void greet() { ASSERT_EQ(Session::Next::kReply, handle(wire::Op::kHello, 0, 1, 2).next); }
    /// Opens a file: its number, and the client's end of it.
    uint64_t open(int flags = O_RDWR) {
        auto outcome = handle(wire::Op::kOpen, 0, static_cast<uint64_t>(flags));
        EXPECT_EQ(0, outcome.reply.result);
        client_ = std::move(outcome.fd);
        wire::Address name{};
        name.size = sizeof name.sun;
        uint64_t file = 0;
        EXPECT_EQ(0,
                  ::getsockname(client_.get(), reinterpret_cast<sockaddr*>(&name.sun), &name.size));
        EXPECT_TRUE(wire::parse_file(address_, name, file));
        return file;
    }

    Record record_;
    RecordingDriver driver_{record_};
    wire::Address address_ = wire::server_address("0123456789abcdef0123456789abcde0");
    uint64_t secret_[2] = {1, 2};
    Files files_{driver_, address_};
    Session session_{files_, secret_};
    WordCaller caller_;
    UniqueFd client_;
};

TEST_F(SessionTest, SecretComesFirst) {
    EXPECT_EQ(Session::Next::kHangUp, handle(wire::Op::kOpen).next);
    EXPECT_EQ(Session::Next::kHangUp, handle(wire::Op::kHello, 0, 1, 3).next);
    EXPECT_EQ(0, record_.open_files);
    greet();
}

TEST_F(SessionTest, OtherSizesAndOperationsEndTheConnection) {
    greet();
    const wire::Request request{wire::Op::kOpen, 0, 0, {}};
    const auto bytes = std::as_bytes(std::span(&request, 1));
    EXPECT_EQ(Session::Next::kHangUp, session_.handle(bytes.first(47), caller_).next);
    EXPECT_EQ(Session::Next::kHangUp, session_.handle({}, caller_).next);
    EXPECT_EQ(Session::Next::kHangUp, handle(static_cast<wire::Op>(77)).next);
}

TEST_F(SessionTest, LastDescriptorReleasesTheFile) {
    greet();
    const uint64_t file = open();
    UniqueFd duplicate(::dup(client_.get()));
    client_.reset();
    files_.reap();
    EXPECT_EQ(1, record_.open_files);
    duplicate.reset();
    files_.reap();
    EXPECT_EQ(0, record_.open_files);
    EXPECT_EQ(-ENODEV, handle(wire::Op::kIoctl, file, kRequest, WordCaller::kAddress).reply.result);
}

TEST_F(SessionTest, ArgumentGoesBothWaysWhateverTheResult) {
    greet();
    const uint64_t file = open();
    caller_.word = 41;
    EXPECT_EQ(-EBUSY, handle(wire::Op::kIoctl, file, kRequest, WordCaller::kAddress).reply.result);
    EXPECT_EQ(42U, caller_.word);
    EXPECT_EQ(-EFAULT, handle(wire::Op::kIoctl, file, kRequest, 8).reply.result);
    EXPECT_EQ(1, record_.calls) << "a bad pointer does not reach the driver";
    EXPECT_EQ(-ENOTTY,
              handle(wire::Op::kIoctl, file, _IOWR('x', 0x40, uint32_t), WordCaller::kAddress)
                  .reply.result);
}

TEST_F(SessionTest, MmapChecksWhatTheKernelChecks) {
    greet();
    const uint64_t reader = open(O_RDONLY);
    const auto map = [&](uint64_t offset, uint64_t length, uint64_t prot, uint64_t flags) {
        return handle(wire::Op::kMmap, reader, offset, length, prot, flags).reply.result;
    };
    EXPECT_EQ(0, map(0, 4096, PROT_READ, MAP_SHARED));
    EXPECT_EQ(-EACCES, map(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED));
    EXPECT_EQ(-EINVAL, map(0, 0, PROT_READ, MAP_SHARED));
    EXPECT_EQ(-EINVAL, map(1, 4096, PROT_READ, MAP_SHARED));
    EXPECT_EQ(-EINVAL, map(0, 4096, PROT_READ, 0));
    EXPECT_EQ(-ENOMEM, map(0, UINT64_MAX, PROT_READ, MAP_SHARED));
    EXPECT_EQ(-EOVERFLOW, map(UINT64_MAX - 4095, 8192, PROT_READ, MAP_SHARED));
    const auto outcome = handle(wire::Op::kMmap, reader, 0, 4096, PROT_READ, MAP_SHARED);
    EXPECT_EQ(4096U, outcome.reply.value);
    EXPECT_TRUE(outcome.fd);
}

TEST_F(SessionTest, FdinfoIsTheKernelsAndThenTheDrivers) {
    greet();
    open(O_WRONLY);
    struct stat status {};
    ASSERT_EQ(0, ::fstat(client_.get(), &status));
    const auto ask = [&](uint64_t inode) {
        return handle(wire::Op::kFdinfo, 0, inode, O_RDWR | O_NONBLOCK | O_CLOEXEC, 31, 12);
    };
    const auto outcome = ask(status.st_ino);
    ASSERT_EQ(0, outcome.reply.result);
    char text[256] = {};
    EXPECT_LT(0, ::read(outcome.fd.get(), text, sizeof text - 1));
    EXPECT_STREQ("pos:\t0\nflags:\t02104001\nmnt_id:\t31\nino:\t12\nof:\tthe driver\n", text);
    EXPECT_EQ(-1, ::write(outcome.fd.get(), text, 1));
    EXPECT_EQ(-ENOENT, ask(status.st_ino + 1).reply.result);
    client_.reset();
    EXPECT_EQ(-ENOENT, ask(status.st_ino).reply.result);
}

TEST_F(SessionTest, EndOfAnImageEndsItsMappings) {
    greet();
    open();
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    files_.add_anchor(1234, UniqueFd(ends[0]));
    files_.reap();
    EXPECT_TRUE(record_.unmapped.empty());
    ::close(ends[1]);
    files_.reap();
    EXPECT_EQ(std::vector<uint64_t>{0}, record_.unmapped);
}

}  // namespace
}  // namespace xdna::emu
