#include "emu/uapi/interposer/config.hpp"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "emu/uapi/interposer/system.hpp"

namespace xdna::emu::door {
namespace {

enum class State { kUnread, kReading, kInert, kActive };
std::atomic<State> state{State::kUnread};
Config the_config;

bool read_environment() {
    const char* socket = std::getenv(wire::kSocketVariable);
    const char* root = std::getenv(wire::kRootVariable);
    const char* debug = std::getenv(wire::kDebugVariable);
    if (socket == nullptr || root == nullptr ||
        std::strlen(socket) != wire::kNameSize + 1 + wire::kSecretSize ||
        socket[wire::kNameSize] != ':')
        return false;
    const char* secret = socket + wire::kNameSize + 1;
    the_config.root_size = std::strlen(root);
    if (!wire::parse_hex(secret, 16, the_config.secret[0]) ||
        !wire::parse_hex(secret + 16, 16, the_config.secret[1]) || root[0] != '/' ||
        the_config.root_size >= sizeof the_config.root)
        return false;
    std::memcpy(the_config.root, root, the_config.root_size + 1);
    the_config.server = wire::server_address(socket);
    the_config.debug = debug != nullptr && std::strcmp(debug, "1") == 0;
    return true;
}

}  // namespace

const Config* config() {
    for (;;) {
        State now = state.load(std::memory_order_acquire);
        if (now == State::kActive)
            return &the_config;
        if (now == State::kInert)
            return nullptr;
        if (now == State::kUnread && state.compare_exchange_strong(now, State::kReading))
            state.store(read_environment() ? State::kActive : State::kInert,
                        std::memory_order_release);
        else if (now == State::kReading)
            raw(SYS_sched_yield);
    }
}

namespace {
size_t append(char* line, size_t size, size_t capacity, const char* text) {
    while (*text != 0 && size < capacity)
        line[size++] = *text++;
    return size;
}
}  // namespace

void debug(const char* call, const char* path, long result) {
    const Config* about = config();
    if (about == nullptr || !about->debug)
        return;
    char line[512], number[24];
    char* digit = number + sizeof number;
    *--digit = 0;
    unsigned long left = static_cast<unsigned long>(result < 0 ? -result : result);
    do
        *--digit = static_cast<char>('0' + left % 10);
    while ((left /= 10) != 0);
    if (result < 0)
        *--digit = '-';
    size_t size = append(line, 0, sizeof line - 1, "xdna-emu: ");
    for (const char* part : {call, " ", path, " = ", static_cast<const char*>(digit)})
        size = append(line, size, sizeof line - 1, part);
    line[size++] = '\n';
    raw(SYS_write, 2, word(line), static_cast<long>(size));
}

}  // namespace xdna::emu::door
