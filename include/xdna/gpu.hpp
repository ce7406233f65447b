// SPDX-License-Identifier: MIT
//
// Matrix multiplication on any Vulkan device, for C++20. Link libxdna-gpu (pkg-config xdna-gpu);
// the Vulkan loader, libvulkan.so.1, is opened when the first device is, and is no dependency of
// the link.
//
//  - Every failure throws xdna::gpu::Error, whose code() says what kind it is and whose what()
//  names
//    the call, the argument and the cause.
//  - Device, Buffer and Matmul may be used by several threads at once; one Recording may not.
//    A Buffer, Matmul or Recording keeps its Device alive; what a Recording uses must outlive its
//    last submission.
//  - Sizes are in bytes, strides in elements, durations in seconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#if defined(__GNUC__)
#define XDNA_GPU_API __attribute__((visibility("default")))
#else
#define XDNA_GPU_API
#endif

namespace xdna::gpu {

enum class ErrorCode {
    kInvalidArgument,  ///< the caller's: a size, stride, offset or type that cannot be
    kNoVulkan,         ///< no Vulkan loader, or none that this library can use
    kNoDevice,         ///< no device, or none of that name
    kUnsupported,      ///< this device or driver cannot do that; what() names the feature or limit
    kOutOfMemory,      ///< of the host's or the device's memory
    kDeviceLost,       ///< the device was lost: every object of it is dead, open it anew
    kFailed,           ///< anything else that the driver or the system refused
};

class XDNA_GPU_API Error : public std::runtime_error {
  public:
    Error(ErrorCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

  private:
    ErrorCode code_;
};

/// What a matrix holds. Sub-byte elements fill a byte from its low bits. A block type is weights:
/// 32 elements along k share an f16 scale, which lies in a buffer of its own, in the elements'
/// order; an element's value is scale x integer. See quantize().
enum class Type : std::uint8_t {
    kF32,
    kF16,
    kBf16,
    kI32,
    kI8,
    kI4,  ///< two's complement, two a byte, the first in the low bits: as the NPU's kernels take it
    kQ4,  ///< blocks of 32: integers as kI4, -8 to 7
    kQ8,  ///< blocks of 32: integers as kI8
};

inline constexpr std::size_t kBlock = 32;

XDNA_GPU_API std::string_view to_string(Type type);
/// How many bytes `elements` of a type fill, scales left out; rounded up to a byte.
XDNA_GPU_API std::size_t bytes_of(Type type, std::size_t elements);
/// How many bytes the scales of `elements` fill; 0 unless it is a block type.
XDNA_GPU_API std::size_t scale_bytes_of(Type type, std::size_t elements);

/// IEEE binary16 and bfloat16, rounded to nearest even.
XDNA_GPU_API std::uint16_t to_f16(float value);
XDNA_GPU_API std::uint16_t to_bf16(float value);
XDNA_GPU_API float from_f16(std::uint16_t bits);
XDNA_GPU_API float from_bf16(std::uint16_t bits);

/// A matrix in a block type.
struct Quantized {
    std::vector<std::byte> values;
    std::vector<std::uint16_t> scales;
    std::size_t stride = 0;  ///< elements a row, a multiple of 32; what lies beyond `columns` is 0
};
/// Quantizes rows of `columns` floats: each block's scale maps its largest magnitude to 127, or
/// for kQ4 to -8.
/// @param type kQ4 or kQ8
XDNA_GPU_API Quantized quantize(Type type, std::span<const float> rows, std::size_t columns);

/// A shape of the device's matrix instructions.
struct MatrixUnit {
    std::uint32_t m, n, k;
    Type a, sum;
};

enum class DeviceKind { kOther, kIntegrated, kDiscrete, kVirtual, kCpu };

struct DeviceInfo {
    std::string name;
    std::string driver;  ///< name and version
    std::uint32_t api_version = 0, vendor_id = 0, device_id = 0;
    DeviceKind kind = DeviceKind::kOther;
    std::string uuid;        ///< 32 hexadecimal digits
    std::size_t memory = 0;  ///< largest device-local heap

    // Limits.
    std::size_t buffer_range = 0;      ///< the most bytes of one operand
    std::size_t offset_alignment = 0;  ///< of an operand in its buffer
    std::size_t host_import_alignment = 0;
    std::uint32_t workgroup_size = 0;  ///< invocations at most
    std::uint32_t shared_memory = 0;   ///< bytes a workgroup
    std::uint32_t subgroup_size = 0, subgroup_min = 0, subgroup_max = 0;
    std::uint32_t cores = 0;  ///< that run workgroups (multiprocessors, compute units); 0: not told
    double timestamp_period = 0;  ///< nanoseconds; 0: no timestamps

    // Features.
    bool f16_storage = false;          ///< results may be f16
    bool subgroup_add = false;         ///< a subgroup can sum
    bool packed_dot_product = false;   ///< VK_KHR_shader_integer_dot_product
    bool fast_dot_product = false;     ///< ... by an instruction of its own
    bool cooperative_matrix = false;   ///< VK_KHR_cooperative_matrix
    bool cooperative_matrix2 = false;  ///< VK_NV_cooperative_matrix2 with tensor addressing
    bool bfloat16 = false;             ///< cooperative matrices of bf16
    bool dmabuf = false;               ///< VK_EXT_external_memory_dma_buf
    bool host_import = false;          ///< VK_EXT_external_memory_host
    bool binary_import = false;        ///< VK_NVX_binary_import and buffer addresses
    bool wgmma = false;                ///< ... takes PTX for Hopper; known of an opened device only
    std::vector<MatrixUnit> units;     ///< what cooperative_matrix multiplies
};

struct DeviceOptions {
    /// A number in Device::list()'s order, a uuid, or part of a name. Empty: $XDNA_GPU, else the
    /// fastest kind: discrete, integrated, virtual, CPU.
    std::string which;
    /// Where pipelines and tuning results are kept. Empty: $XDNA_GPU_CACHE, else libxdna below
    /// $XDG_CACHE_HOME or ~/.cache. "none": nowhere. A cache that cannot be read or written is done
    /// without.
    std::string cache;
    /// Loads VK_LAYER_KHRONOS_validation, with its synchronization checks, and calls on_message
    /// with what it has to say (from any thread).
    bool validate = false;
    std::function<void(const std::string&)> on_message;
};

namespace detail {
class DeviceState;
class BufferState;
class MatmulState;
class RecordingState;
}  // namespace detail

class XDNA_GPU_API Device {
  public:
    /// Every Vulkan 1.2 device that can compute. Empty where there is no Vulkan.
    static std::vector<DeviceInfo> list();

    /// @throws Error kNoVulkan, kNoDevice
    explicit Device(const DeviceOptions& options = {});

    const DeviceInfo& info() const;
    /// Writes the caches out, as the last owner's end does.
    void save_cache() const;

    const std::shared_ptr<detail::DeviceState>& state() const noexcept { return state_; }

  private:
    std::shared_ptr<detail::DeviceState> state_;
};

enum class Memory {
    kDevice,      ///< the device's own; read() and write() go through a staging buffer
    kHost,        ///< mapped, coherent and cached where the device has such memory
    kExportable,  ///< the device's own, for export_dmabuf()
};

class XDNA_GPU_API Buffer {
  public:
    /// @param bytes at least 1; the contents are undefined
    Buffer(const Device& device, std::size_t bytes, Memory memory = Memory::kDevice);

    /// Memory of another device, such as a BO of the NPU (libxdna's xdna_bo_export), without a
    /// copy.
    /// @param fd a dma-buf; it stays the caller's
    /// @throws Error kUnsupported where the driver cannot import that
    static Buffer import_dmabuf(const Device& device, int fd, std::size_t bytes);
    /// Memory that this process has mapped, such as a BO of the NPU (libxdna's xdna_bo_map),
    /// without a copy.
    /// @param memory aligned, and as long as, a multiple of DeviceInfo::host_import_alignment; it
    /// must outlive the Buffer
    static Buffer import_host(const Device& device, void* memory, std::size_t bytes);

    std::size_t size() const;
    /// kHost and import_host() only.
    std::span<std::byte> map() const;
    /// Copies, and returns when that is done; it comes after every submission made before.
    void write(std::span<const std::byte> bytes, std::size_t offset = 0) const;
    void read(std::span<std::byte> bytes, std::size_t offset = 0) const;
    /// @returns a dma-buf, the caller's to close
    int export_dmabuf() const;

    const std::shared_ptr<detail::BufferState>& state() const noexcept { return state_; }

  private:
    explicit Buffer(std::shared_ptr<detail::BufferState> state) : state_(std::move(state)) {}
    std::shared_ptr<detail::BufferState> state_;
};

/// How a matrix is stored: rows one after another, or, transposed, columns.
struct Layout {
    Type type = Type::kF32;
    bool transposed = false;
    /// Elements from one stored row to the next, and from one matrix of a batch to the next; 0:
    /// without gaps. A batch stride of 0 elements is said as kShared.
    std::uint32_t stride = 0;
    std::uint32_t batch_stride = 0;
};
/// Of an operand that all matrices of a batch share.
inline constexpr std::uint32_t kShared = UINT32_MAX;

/// C[m x n] = A[m x k] B[k x n], `batch` times.
///
/// | a, b (either way around for block types and i4) | c |
/// |---|---|
/// | f32 x f32; f16 x f16; bf16 x bf16; q4 or q8 x f16, q4 or q8 x f32 | f32, f16 |
/// | i8 x i8; i4 x i8 | i32, wrapping as two's complement does |
///
/// Sums are f32 (i32), in no promised order. f16 operands, and weights that multiply f16, may be
/// rounded to f16 once dequantized. A block type's blocks lie along k: as A it is not transposed,
/// as B it is.
struct MatmulShape {
    std::uint32_t m = 0, n = 0, k = 0;
    std::uint32_t batch = 1;
    Layout a, b, c;
};

struct MatmulOptions {
    /// Times every kernel that fits on this device, once: the result is kept in the cache.
    bool tune = false;
    /// Only kernels whose name contains this; for tests and benchmarks. See Matmul::kernels().
    std::string kernel;
};

class XDNA_GPU_API Matmul {
  public:
    /// @throws Error kInvalidArgument, kUnsupported
    Matmul(const Device& device, const MatmulShape& shape, const MatmulOptions& options = {});

    /// The kernels that could compute a shape on a device, the one that would be chosen first.
    static std::vector<std::string> kernels(const Device& device, const MatmulShape& shape);

    const MatmulShape& shape() const;
    /// The chosen kernel and its tile sizes.
    const std::string& kernel() const;
    /// Of the whole batch, without scales.
    std::size_t bytes_a() const;
    std::size_t bytes_b() const;
    std::size_t bytes_c() const;

    const std::shared_ptr<detail::MatmulState>& state() const noexcept { return state_; }

  private:
    std::shared_ptr<detail::MatmulState> state_;
};

/// An operand's place in a buffer.
struct View {
    const Buffer* buffer = nullptr;
    std::size_t offset = 0;  ///< a multiple of DeviceInfo::offset_alignment
};

struct MatmulArguments {
    View a, b, c;
    View scales;  ///< of the operand that is a block type
};

/// When a submission is done.
struct Ticket {
    std::uint64_t value = 0;  ///< of the device's timeline semaphore
};

/// What of a recording is timed. A timestamp after each step keeps it from overlapping the next.
enum class Timing { kEach, kWhole };

/// Work that is recorded once and submitted as often as wanted.
class XDNA_GPU_API Recording {
  public:
    explicit Recording(const Device& device, Timing timing = Timing::kWhole);

    /// Appends a multiplication. It sees what earlier ones wrote; those that touch different memory
    /// may run at the same time. Buffers are told apart as a whole.
    void matmul(const Matmul& matmul, const MatmulArguments& arguments);

    /// One submission of everything recorded, after all that was submitted before. Ends the
    /// recording: matmul() is an error afterwards.
    Ticket submit();
    void wait(Ticket ticket);
    /// @returns false where the time ran out
    bool wait_for(Ticket ticket, std::chrono::nanoseconds timeout);

    /// Device time of the last submission from its start to the end of each matmul (kWhole: to the
    /// end of the last); waits for it. Empty where the device has no timestamps, or before the
    /// first submission.
    std::vector<double> finished_after();

  private:
    std::shared_ptr<detail::RecordingState> state_;
};

/// Records, submits and waits.
XDNA_GPU_API void multiply(const Device& device, const Matmul& matmul,
                           const MatmulArguments& arguments);

}  // namespace xdna::gpu
