// mmap and what undoes it. The server gives the memory behind an offset of the device file; the
// mapping is an ordinary one of that memory, and the server is told where it stands.
//
// A mapping keeps its file open, as in the kernel: a hidden descriptor of the file stays while any
// part of a mapping does.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdarg>

#include <linux/futex.h>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/connection.hpp"
#include "emu/uapi/interposer/device.hpp"
#include "emu/uapi/interposer/system.hpp"

using namespace xdna::emu;        // NOLINT(google-build-using-namespace)
using namespace xdna::emu::door;  // NOLINT(google-build-using-namespace)

namespace {

constexpr uint64_t kPage = 4096;

/// An array that grows by whole pages of the kernel's; elements are plain bytes.
template <typename T>
class Array {
  public:
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    bool empty() const { return size_ == 0; }
    bool reserve(size_t count) {
        if (count * sizeof(T) <= bytes_)
            return true;
        const size_t bytes = bytes_ == 0 ? kPage : 2 * bytes_;
        const long to = bytes_ == 0
                            ? raw(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                            : raw(SYS_mremap, word(data_), static_cast<long>(bytes_),
                                  static_cast<long>(bytes), MREMAP_MAYMOVE);
        if (to < 0 && to > -4096)
            return false;
        data_ = reinterpret_cast<T*>(to);
        bytes_ = bytes;
        return reserve(count);
    }
    void push(const T& value) { data_[size_++] = value; }
    void erase(T* at) { *at = data_[--size_]; }
    size_t size() const { return size_; }

  private:
    T* data_ = nullptr;
    size_t size_ = 0, bytes_ = 0;
};

struct Piece {
    uint64_t address, length, offset, file;
};
struct Holder {
    uint64_t file;
    int fd;
};

Array<Piece> pieces;
Array<Holder> holders;
std::atomic<size_t> piece_count{0};  ///< for a look without the lock
std::atomic<int> lock_word{0};       ///< 0 free, 1 held, 2 held and waited for

void acquire() {
    int free = 0;
    if (lock_word.compare_exchange_strong(free, 1))
        return;
    while (lock_word.exchange(2) != 0)
        raw(SYS_futex, word(&lock_word), FUTEX_WAIT_PRIVATE, 2, 0);
}

void release() {
    if (lock_word.exchange(0) == 2)
        raw(SYS_futex, word(&lock_word), FUTEX_WAKE_PRIVATE, 1);
}

/// Held over the change and the word of it to the server, so that both see one order. A kernel's
/// mmap_lock is held as long. No signal handler runs meanwhile: it might call mmap.
class Locked {
  public:
    Locked() {
        uint64_t all = ~uint64_t{0};
        raw(SYS_rt_sigprocmask, SIG_SETMASK, word(&all), word(&mask_), sizeof all);
        acquire();
    }
    ~Locked() {
        release();
        raw(SYS_rt_sigprocmask, SIG_SETMASK, word(&mask_), 0, sizeof mask_);
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    uint64_t mask_ = 0;
};

bool overlaps(const Piece& piece, uint64_t address, uint64_t length) {
    return piece.address < address + length && address < piece.address + piece.length;
}

bool any_in(uint64_t address, uint64_t length) {
    for (const Piece& piece : pieces)
        if (overlaps(piece, address, length))
            return true;
    return false;
}

void drop_idle_holders() {
    for (Holder* holder = holders.begin(); holder != holders.end();) {
        bool used = false;
        for (const Piece& piece : pieces)
            used = used || piece.file == holder->file;
        if (used) {
            ++holder;
        } else {
            close_hidden(holder->fd);
            holders.erase(holder);
        }
    }
}

/// Forgets what lies in the range. Needs room for one more piece: a hole splits one in two.
void forget(uint64_t address, uint64_t length) {
    for (size_t i = 0; i < pieces.size();) {
        Piece& piece = pieces.begin()[i];
        if (!overlaps(piece, address, length)) {
            ++i;
            continue;
        }
        const Piece whole = piece;
        pieces.erase(&piece);
        const uint64_t end = address + length, whole_end = whole.address + whole.length;
        if (whole.address < address)
            pieces.push({whole.address, address - whole.address, whole.offset, whole.file});
        if (end < whole_end)
            pieces.push({end, whole_end - end, whole.offset + (end - whole.address), whole.file});
    }
    drop_idle_holders();
    piece_count = pieces.size();
}

bool hold(int fd, uint64_t file) {
    for (const Holder& holder : holders)
        if (holder.file == file)
            return true;
    const int hidden = hide(fd);
    if (hidden < 0)
        return false;
    holders.push({file, hidden});
    return true;
}

uint64_t in_pages(uint64_t length) {
    return (length + kPage - 1) / kPage * kPage;
}

long map_device(uint64_t file, void* address, size_t length, int prot, int flags, int fd,
                off_t offset) {
    Locked locked;
    if (!pieces.reserve(pieces.size() + 2) || !holders.reserve(holders.size() + 1))
        return -ENOMEM;
    const Answer answer = call(wire::Op::kMmap, file, static_cast<uint64_t>(offset), length,
                               static_cast<uint64_t>(prot), static_cast<uint64_t>(flags));
    if (answer.result < 0)
        return answer.result;
    hold_anchor();
    const bool held = hold(fd, file);
    const long at = held ? raw(SYS_mmap, word(address), static_cast<long>(length), prot, flags,
                               answer.fd, static_cast<long>(answer.reply.value))
                         : -ENFILE;
    raw(SYS_close, answer.fd);
    if (at < 0 && at > -4096) {
        drop_idle_holders();
        return at;
    }
    const auto start = static_cast<uint64_t>(at);
    const uint64_t size = in_pages(length);
    if (any_in(start, size)) {  // MAP_FIXED over another
        call(wire::Op::kUnmapped, 0, start, size);
        forget(start, size);
        hold(fd, file);
    }
    pieces.push({start, size, static_cast<uint64_t>(offset), file});
    piece_count = pieces.size();
    call(wire::Op::kMapped, file, static_cast<uint64_t>(offset), start, size);
    return at;
}

long mmap_any(void* address, size_t length, int prot, int flags, int fd, off_t offset) {
    const auto map = [=] {
        return raw(SYS_mmap, word(address), static_cast<long>(length), prot, flags, fd, offset);
    };
    if ((flags & MAP_ANONYMOUS) == 0) {
        uint64_t file;
        if (fd >= 0 && is_device(fd, file)) {
            const long at = map_device(file, address, length, prot, flags, fd, offset);
            KeepErrno keep;
            debug("mmap", "/dev/accel/accel0", at);
            return at;
        }
        // dma-buf.c, dma_buf_mmap_internal, and the DRM helper's refusal of private copies.
        struct stat status {};
        if (fd >= 0 && is_dma_buf(fd) && raw(SYS_fstat, fd, word(&status)) == 0 &&
            ((flags & MAP_TYPE) == MAP_PRIVATE || static_cast<uint64_t>(offset) + in_pages(length) >
                                                      static_cast<uint64_t>(status.st_size)))
            return -EINVAL;
    }
    if (piece_count == 0 || (flags & MAP_FIXED) == 0)
        return map();
    Locked locked;
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t size = in_pages(length);
    const bool ours = any_in(start, size) && pieces.reserve(pieces.size() + 1);
    const long at = map();
    if (ours && at >= 0) {
        call(wire::Op::kUnmapped, 0, start, size);
        forget(start, size);
    }
    return at;
}

long munmap_any(void* address, size_t length) {
    const auto start = reinterpret_cast<uint64_t>(address);
    const uint64_t size = in_pages(length);
    if (piece_count == 0 || start % kPage != 0 || size == 0 || start + size < start)
        return raw(SYS_munmap, word(address), static_cast<long>(length));
    Locked locked;
    if (!any_in(start, size))
        return raw(SYS_munmap, word(address), static_cast<long>(length));
    if (!pieces.reserve(pieces.size() + 1))
        return -ENOMEM;
    // A driver hears of it first, and may wait for the device to be done with the pages.
    call(wire::Op::kUnmapped, 0, start, size);
    const long result = raw(SYS_munmap, word(address), static_cast<long>(length));
    if (result == 0)
        forget(start, size);
    return result;
}

long mremap_any(void* old_address, size_t old_size, size_t new_size, int flags, void* new_address) {
    const auto remap = [=] {
        return raw(SYS_mremap, word(old_address), static_cast<long>(old_size),
                   static_cast<long>(new_size), flags, word(new_address));
    };
    if (piece_count == 0)
        return remap();
    Locked locked;
    const auto from = reinterpret_cast<uint64_t>(old_address);
    const uint64_t old_length = in_pages(old_size), new_length = in_pages(new_size);
    const bool ours = any_in(from, old_length == 0 ? 1 : old_length);
    const bool over =
        (flags & MREMAP_FIXED) != 0 && any_in(reinterpret_cast<uint64_t>(new_address), new_length);
    if (!ours && !over)
        return remap();
    // A device's pages cannot be duplicated, left behind or grown (VM_PFNMAP, VM_DONTEXPAND).
    if (ours && (old_length == 0 || (flags & MREMAP_DONTUNMAP) != 0))
        return -EINVAL;
    if (ours && new_length > old_length)
        return -EFAULT;
    if (!pieces.reserve(pieces.size() + 4))
        return -ENOMEM;
    const long to = remap();
    if (to < 0 && to > -4096)
        return to;
    if (over) {
        call(wire::Op::kUnmapped, 0, static_cast<uint64_t>(to), new_length);
        forget(static_cast<uint64_t>(to), new_length);
    }
    if (!ours)
        return to;
    if (static_cast<uint64_t>(to) == from) {
        if (new_length < old_length) {
            call(wire::Op::kUnmapped, 0, from + new_length, old_length - new_length);
            forget(from + new_length, old_length - new_length);
        }
        return to;
    }
    // The kernel moves no more than one mapping at a time.
    for (const Piece& piece : pieces)
        if (overlaps(piece, from, old_length)) {
            const uint64_t skipped = from > piece.address ? from - piece.address : 0;
            const Piece moved{static_cast<uint64_t>(to), new_length, piece.offset + skipped,
                              piece.file};
            call(wire::Op::kUnmapped, 0, from, old_length);
            pieces.push(moved);
            forget(from, old_length);
            call(wire::Op::kMapped, moved.file, moved.offset, moved.address, moved.length);
            break;
        }
    return to;
}

__attribute__((constructor)) void watch_forks() {
    if (config() != nullptr)
        ::pthread_atfork(acquire, release, [] {
            lock_word = 0;
            forget_connections();
        });
}

}  // namespace

DOOR_EXPORT void* mmap(void* address, size_t length, int prot, int flags, int fd,
                       off_t offset) noexcept {
    return reinterpret_cast<void*>(returned(mmap_any(address, length, prot, flags, fd, offset)));
}

DOOR_EXPORT void* mmap64(void* address, size_t length, int prot, int flags, int fd,
                         off64_t offset) noexcept {
    return reinterpret_cast<void*>(returned(mmap_any(address, length, prot, flags, fd, offset)));
}

DOOR_EXPORT int munmap(void* address, size_t length) noexcept {
    return static_cast<int>(returned(munmap_any(address, length)));
}

DOOR_EXPORT void* mremap(void* old_address, size_t old_size, size_t new_size, int flags,
                         ...) noexcept {
    void* new_address = nullptr;
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        new_address = va_arg(arguments, void*);
        va_end(arguments);
    }
    return reinterpret_cast<void*>(
        returned(mremap_any(old_address, old_size, new_size, flags, new_address)));
}
