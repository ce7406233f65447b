// What the door's two halves say to each other: the interposer inside a client process and the
// server that holds the virtual NPU. A SOCK_SEQPACKET connection carries one Request and its Reply
// at a time; descriptors travel beside a Reply as SCM_RIGHTS. Ioctl payloads do not travel: the
// server reads and writes them in the caller's memory, so that a bad pointer is EFAULT and nothing
// else.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xdna::emu::wire {

/// Environment of a client: `<name>:<secret>` of the server (both lower-case hexadecimal, kNameSize
/// and kSecretSize digits), the directory tree of the entries shown, and whether to say on stderr
/// what was claimed. The abstract socket name can be read by anyone in /proc/net/unix, hence the
/// secret.
inline constexpr char kSocketVariable[] = "XDNA_EMU_SOCKET";
inline constexpr char kRootVariable[] = "XDNA_EMU_ROOT";
inline constexpr char kDebugVariable[] = "XDNA_EMU_DEBUG";

inline constexpr size_t kNameSize = 32;
inline constexpr size_t kSecretSize = 32;

enum class Op : uint32_t {
    kHello = 1,      ///< args 0-1: the secret. The first request of every connection.
    kAnchor = 2,     ///< this connection's end means that the process image and its mappings went
    kOpen = 3,       ///< args: open flags -> descriptor
    kIoctl = 4,      ///< args: request, argument address -> result, descriptor of give_fd
    kMmap = 5,       ///< args: offset, length, prot, flags -> descriptor, value: offset into it
    kMapped = 6,     ///< args: offset, address, length
    kUnmapped = 7,   ///< args: address, length; of every file
    kInterrupt = 8,  ///< a signal arrived during the call in progress; has no Reply of its own
    kIsDevice = 9,   ///< args: socket inode -> 1 if it is an open device file, else 0
    kFdinfo = 10,    ///< args: socket inode, its flags, mount id and inode of the node ->
                     ///< descriptor of a file with the text; -ENOENT if it is no device file
};

struct Request {
    Op op;
    uint32_t thread;  ///< thread id of the caller
    uint64_t file;    ///< which open device file (the number in its socket's name)
    uint64_t args[4];
};

struct Reply {
    int64_t result;      ///< 0 or more: success; negative errno
    uint64_t value;      ///< kMmap: where in the descriptor the mapping begins
    uint32_t fd_offset;  ///< kIoctl: byte of the argument at which the descriptor's number belongs
    uint32_t flags;      ///< kReply*
};

inline constexpr uint32_t kReplyHasFd = 1;
inline constexpr uint32_t kReplyCloseOnExec = 2;

static_assert(sizeof(Request) == 48 && sizeof(Reply) == 24);

/// An abstract socket address.
struct Address {
    sockaddr_un sun;
    socklen_t size;
};

inline constexpr char kPrefix[] = "xdna-emu-";

inline bool operator==(const Address& a, const Address& b) {
    return a.size == b.size && std::memcmp(&a.sun, &b.sun, a.size) == 0;
}

/// The server's address; `name` is kNameSize digits.
inline Address server_address(const char* name) {
    Address address{};
    address.sun.sun_family = AF_UNIX;
    char* at = address.sun.sun_path + 1;  // a leading zero byte marks the abstract namespace
    std::memcpy(at, kPrefix, sizeof kPrefix - 1);
    std::memcpy(at + sizeof kPrefix - 1, name, kNameSize);
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + sizeof kPrefix - 1 +
                                          kNameSize);
    return address;
}

/// The address of open device file `file`: the server's, a dot, 16 hexadecimal digits.
inline Address file_address(const Address& server, uint64_t file) {
    Address address = server;
    char* at = reinterpret_cast<char*>(&address.sun) + address.size;
    *at++ = '.';
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[file >> shift & 15];
    address.size += 17;
    return address;
}

/// Reads a hexadecimal number of `digits` digits; false where there is anything else.
inline bool parse_hex(const char* text, size_t digits, uint64_t& value) {
    value = 0;
    for (size_t i = 0; i < digits; ++i) {
        char c = text[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = static_cast<unsigned>(c - 'a' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    return true;
}

/// Which device file `address` names, if it is one of this server's; else false.
inline bool parse_file(const Address& server, const Address& address, uint64_t& file) {
    if (address.size != server.size + 17 ||
        std::memcmp(&address.sun, &server.sun, server.size) != 0)
        return false;
    const char* at = reinterpret_cast<const char*>(&address.sun) + server.size;
    // The kernel wrote it. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    return *at == '.' && parse_hex(at + 1, 16, file);
}

}  // namespace xdna::emu::wire
