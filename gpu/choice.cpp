#include "gpu/choice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace xdna::gpu::detail {
namespace {

enum class Family : std::uint8_t { kPlain, kDot, kCoopmat, kCoopmat2, kWgmma, kMatvec };
constexpr std::array kFamilyNames{"plain", "dot", "coopmat", "coopmat2", "wgmma", "matvec"};

constexpr std::uint32_t kAny = 0;
constexpr std::uint32_t kNvidia = 0x10de;
constexpr std::uint32_t kAmd = 0x1002;
constexpr std::uint32_t kMesa = 0x10005;  // lavapipe

/// A row of the table: tile sizes, and what they are worth.
struct Row {
    Family family;
    std::uint32_t vendor;  ///< kAny or the only one that it is for
    Type element;          ///< of the matrix instruction; kF32: any
    std::uint32_t block_m, block_n, block_k;
    std::uint32_t part_m, part_n;
    std::uint32_t unit_m, unit_n, unit_k;
    std::uint32_t
        subgroup;  ///< its size, or 0: the device's own (coopmat2: invocations a workgroup)
    double rate;   ///< multiply-accumulates a clock and core when the device is full
};

// Rates of kNvidia and kAny: measured on an H200 (driver 580.159.04, 132 cores at 1.98 GHz,
// 4096^3), see docs/benchmarks.md; the 64x64 tiles' are guesses from those. kAmd: RDNA3's WMMA
// shape in wave32, with tiles for its 64 KiB of LDS, from its documents alone: no such device was
// at hand. kMesa: lavapipe, whose emulation is ten times as fast as the plain kernel there.
constexpr std::array kRows{
    Row{Family::kWgmma, kNvidia, Type::kF16, 128, 256, 32, 0, 0, 0, 0, 0, 0, 814},
    Row{Family::kWgmma, kNvidia, Type::kBf16, 128, 256, 32, 0, 0, 0, 0, 0, 0, 814},
    Row{Family::kWgmma, kNvidia, Type::kI8, 128, 256, 64, 0, 0, 0, 0, 0, 0, 1610},
    Row{Family::kCoopmat, kNvidia, Type::kF16, 128, 256, 32, 64, 64, 16, 16, 16, 0, 616},
    Row{Family::kCoopmat, kNvidia, Type::kF16, 256, 128, 32, 64, 64, 16, 16, 16, 0, 626},
    Row{Family::kCoopmat, kNvidia, Type::kF16, 128, 128, 32, 64, 64, 16, 16, 16, 0, 573},
    Row{Family::kCoopmat, kNvidia, Type::kF16, 64, 64, 32, 32, 32, 16, 16, 16, 0, 300},
    Row{Family::kCoopmat, kNvidia, Type::kBf16, 128, 256, 32, 64, 64, 16, 16, 16, 0, 616},
    Row{Family::kCoopmat, kNvidia, Type::kBf16, 256, 128, 32, 64, 64, 16, 16, 16, 0, 626},
    Row{Family::kCoopmat, kNvidia, Type::kBf16, 128, 128, 32, 64, 64, 16, 16, 16, 0, 573},
    Row{Family::kCoopmat, kNvidia, Type::kBf16, 64, 64, 32, 32, 32, 16, 16, 16, 0, 300},
    Row{Family::kCoopmat, kNvidia, Type::kI8, 128, 256, 64, 64, 64, 16, 16, 32, 0, 1195},
    Row{Family::kCoopmat, kNvidia, Type::kI8, 256, 128, 64, 64, 64, 16, 16, 32, 0, 1212},
    Row{Family::kCoopmat, kNvidia, Type::kI8, 128, 128, 64, 64, 64, 16, 16, 32, 0, 1143},
    Row{Family::kCoopmat, kNvidia, Type::kI8, 64, 64, 64, 32, 32, 16, 16, 32, 0, 600},
    Row{Family::kCoopmat2, kNvidia, Type::kF16, 128, 256, 64, 0, 0, 0, 0, 0, 256, 382},
    Row{Family::kCoopmat2, kNvidia, Type::kF16, 128, 128, 64, 0, 0, 0, 0, 0, 256, 350},
    Row{Family::kCoopmat2, kNvidia, Type::kBf16, 128, 256, 64, 0, 0, 0, 0, 0, 256, 382},
    Row{Family::kCoopmat2, kNvidia, Type::kI8, 128, 256, 128, 0, 0, 0, 0, 0, 256, 753},
    Row{Family::kCoopmat, kAmd, Type::kF16, 128, 128, 32, 64, 32, 16, 16, 16, 32, 400},
    Row{Family::kCoopmat, kAmd, Type::kF16, 64, 64, 32, 32, 32, 16, 16, 16, 32, 250},
    Row{Family::kCoopmat, kAmd, Type::kBf16, 128, 128, 32, 64, 32, 16, 16, 16, 32, 400},
    Row{Family::kCoopmat, kAmd, Type::kBf16, 64, 64, 32, 32, 32, 16, 16, 16, 32, 250},
    Row{Family::kCoopmat, kAmd, Type::kI8, 128, 128, 64, 64, 32, 16, 16, 16, 32, 400},
    Row{Family::kCoopmat, kAmd, Type::kI8, 64, 64, 64, 32, 32, 16, 16, 16, 32, 250},
    Row{Family::kCoopmat, kMesa, Type::kF16, 32, 32, 16, 16, 16, 8, 8, 8, 0, 400},
    Row{Family::kCoopmat, kMesa, Type::kI8, 32, 32, 32, 16, 16, 8, 8, 8, 0, 400},
    Row{Family::kDot, kAny, Type::kI8, 64, 64, 32, 4, 4, 1, 1, 1, 0, 84},
    Row{Family::kDot, kAny, Type::kI8, 32, 32, 32, 4, 4, 1, 1, 1, 0, 56},
    Row{Family::kPlain, kAny, Type::kF32, 64, 64, 16, 4, 4, 1, 1, 1, 0, 41},
    Row{Family::kPlain, kAny, Type::kF32, 32, 32, 16, 4, 4, 1, 1, 1, 0, 32},
    // A part is so many rows together.
    Row{Family::kMatvec, kAny, Type::kF32, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0},
    Row{Family::kMatvec, kAny, Type::kF32, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0},
    Row{Family::kMatvec, kAny, Type::kF32, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0},
};

// As gpu/shaders/wgmma.ptx has it.
constexpr std::uint32_t kWgmmaThreads = 384;
constexpr std::uint32_t kWgmmaShared = 49152;
constexpr std::uint32_t kMatvecThreads = 128;
constexpr std::uint32_t kMatvecSpan = 8;
constexpr std::uint32_t kReduceThreads = 256;
constexpr std::uint32_t kMostColumns = 8;
constexpr std::uint32_t kMostGroups = 65535;  // what every device allows in y and z, and many in x

constexpr std::uint32_t divide_up(std::uint64_t a, std::uint64_t b) {
    return static_cast<std::uint32_t>((a + b - 1) / b);
}

/// Of what a matrix is multiplied as: block types become f16 on their way, i4 i8.
Type element_of(const Problem& problem) {
    return problem.integer ? Type::kI8 : problem.b.type;
}

std::string size_name(std::initializer_list<std::uint32_t> sizes) {
    std::string name;
    for (const std::uint32_t size : sizes) {
        name += (name.empty() ? "" : "x") + std::to_string(size);
    }
    return name;
}

/// How an operand's stored rows of `columns` may be read in vectors of so many elements.
std::uint32_t check_of(const Stored& s, std::uint32_t vector, std::uint32_t block_rows,
                       std::uint32_t block_columns) {
    if (!s.aligned(vector) || (s.columns % vector != 0 && !is_block(s.type))) {
        return 2;
    }
    return s.rows % block_rows == 0 && s.columns % block_columns == 0 ? 0 : 1;
}

/// What a family needs of device and problem, and the parts of a kernel that only it knows.
class Fitter {
  public:
    Fitter(const DeviceInfo& device, const Problem& problem) : device_(device), problem_(problem) {}

    bool fit(const Row& row, std::uint32_t splits, Choice& choice) const {
        if (row.vendor != kAny && row.vendor != device_.vendor_id) {
            return false;
        }
        choice = {};
        choice.kernel.constants = {};
        auto& constants = choice.kernel.constants;
        constants[kTypeA] = static_cast<std::uint32_t>(problem_.a.type);
        constants[kTypeB] = static_cast<std::uint32_t>(problem_.b.type);
        constants[kTypeC] = static_cast<std::uint32_t>(problem_.c.type);
        constants[kTransA] = problem_.a.transposed ? 1 : 0;
        constants[kTransB] = problem_.b.transposed ? 1 : 0;
        constants[kTransC] = problem_.c.transposed ? 1 : 0;
        constants[kSplit] = splits > 1 ? 1 : 0;
        constants[kCheckA] = constants[kCheckB] = constants[kCheckC] = 2;
        constants[kBlockM] = row.block_m;
        constants[kBlockN] = row.block_n;
        constants[kBlockK] = row.block_k;
        constants[kPartM] = row.part_m;
        constants[kPartN] = row.part_n;
        constants[kUnitM] = row.unit_m;
        constants[kUnitN] = row.unit_n;
        constants[kUnitK] = row.unit_k;
        constants[kSubgroupSize] = row.subgroup != 0 ? row.subgroup : device_.subgroup_size;
        choice.parameters = {.m = problem_.m,
                             .n = problem_.n,
                             .k = problem_.k,
                             .stride_a = problem_.a.stride,
                             .stride_b = problem_.b.stride,
                             .stride_c = problem_.c.stride,
                             .batch_a = problem_.a.batch_stride,
                             .batch_b = problem_.b.batch_stride,
                             .batch_c = problem_.c.batch_stride,
                             .k_split = problem_.k,
                             .splits = 1};
        switch (row.family) {
            case Family::kPlain:
                return plain(row, problem_.integer ? "plain_i32" : "plain_f32", choice) &&
                       tiled(row, splits, choice);
            case Family::kDot:
                return problem_.integer && device_.packed_dot_product &&
                       plain(row, "dot_i32", choice) && tiled(row, splits, choice);
            case Family::kCoopmat:
                return coopmat(row, choice) && tiled(row, splits, choice);
            case Family::kCoopmat2:
                return coopmat2(row, choice) && tiled(row, splits, choice);
            case Family::kWgmma:
                return wgmma(row, splits, choice) && tiled(row, splits, choice);
            case Family::kMatvec:
                return splits == 1 && matvec(row, choice);
        }
        return false;
    }

  private:
    bool use(Kernel& kernel, const std::string& module) const {
        kernel.module = find_module(module);
        return kernel.module != nullptr;
    }

    /// The module's name with what C is stored as.
    std::string storing(const std::string& name, bool split) const {
        return problem_.c.type == Type::kF16 && !split ? name + "_f16" : name;
    }

    bool plain(const Row& row, const std::string& name, Choice& choice) const {
        auto& constants = choice.kernel.constants;
        const std::uint32_t words = row.block_k / (row.family == Family::kDot ? 4 : 1);
        constants[kLocalSize] = row.block_m / row.part_m * (row.block_n / row.part_n);
        return 4 * words * (row.block_m + 1 + row.block_n + 1) <= device_.shared_memory &&
               use(choice.kernel, storing(name, constants[kSplit] != 0));
    }

    bool coopmat(const Row& row, Choice& choice) const {
        const Type element = element_of(problem_);
        const Type sum = problem_.integer ? Type::kI32 : Type::kF32;
        const auto unit = [&](const MatrixUnit& u) {
            return u.m == row.unit_m && u.n == row.unit_n && u.k == row.unit_k && u.a == element &&
                   u.sum == sum;
        };
        if (!device_.cooperative_matrix || element != row.element ||
            (element == Type::kBf16 && !device_.bfloat16) ||
            std::none_of(device_.units.begin(), device_.units.end(), unit)) {
            return false;
        }
        const Stored& a = problem_.a;
        const Stored& b = problem_.b;
        const Stored& c = problem_.c;
        auto& constants = choice.kernel.constants;
        const bool narrow =
            element == Type::kI8 && (row.unit_k < 16 || row.unit_m < 16 || row.unit_n < 16);
        const std::uint32_t vector = narrow ? 8 : 128 / bits_of(element);
        constants[kCheckA] = check_of(a, vector, a.transposed ? row.block_k : row.block_m,
                                      a.transposed ? row.block_m : row.block_k);
        constants[kCheckB] = check_of(b, vector, b.transposed ? row.block_n : row.block_k,
                                      b.transposed ? row.block_k : row.block_n);
        const bool split = constants[kSplit] != 0;
        const std::uint32_t in_c = split ? 4 : 128 / bits_of(c.type);
        const bool aligned = split ? c.columns % in_c == 0 : c.aligned(in_c);
        constants[kCheckC] = !aligned                                                         ? 2
                             : problem_.m % row.block_m == 0 && problem_.n % row.block_n == 0 ? 0
                                                                                              : 1;
        const std::uint32_t subgroups = row.block_m / row.part_m * (row.block_n / row.part_n);
        constants[kLocalSize] = subgroups * constants[kSubgroupSize];
        choice.kernel.fixed_subgroup = true;
        // They read whole rows of vectors at a time.
        const std::uint32_t wide_a = (a.transposed ? row.block_m : row.block_k) / vector;
        const std::uint32_t wide_b = (b.transposed ? row.block_k : row.block_n) / vector;
        if (constants[kLocalSize] % wide_a != 0 || constants[kLocalSize] % wide_b != 0) {
            return false;
        }

        const auto stage = [&](std::uint32_t rows, std::uint32_t columns) {
            return rows * (columns / vector + 1) * vector * bits_of(element) / 8;
        };
        const std::uint32_t shared =
            stage(a.transposed ? row.block_k : row.block_m,
                  a.transposed ? row.block_m : row.block_k) +
            stage(b.transposed ? row.block_n : row.block_k,
                  b.transposed ? row.block_k : row.block_n) +
            (constants[kCheckC] == 0 ? 16 : subgroups * row.unit_m * row.unit_n * 4);
        return shared <= device_.shared_memory && constants[kLocalSize] <= device_.workgroup_size &&
               device_.subgroup_min <= constants[kSubgroupSize] &&
               constants[kSubgroupSize] <= device_.subgroup_max &&
               use(choice.kernel, std::string("coopmat_") + std::string(to_string(element)) +
                                      (narrow ? "_narrow" : ""));
    }

    bool coopmat2(const Row& row, Choice& choice) const {
        const Type element = element_of(problem_);
        if (!device_.cooperative_matrix2 || element != row.element ||
            (element == Type::kBf16 && !device_.bfloat16) || problem_.a.type == Type::kI4) {
            return false;
        }
        const Stored& a = problem_.a;
        const Stored& b = problem_.b;
        auto& constants = choice.kernel.constants;
        const std::uint32_t vector = 128 / bits_of(element);
        constants[kCheckA] = check_of(a, vector, a.transposed ? row.block_k : row.block_m,
                                      a.transposed ? row.block_m : row.block_k);
        constants[kCheckB] = check_of(b, vector, b.transposed ? row.block_n : row.block_k,
                                      b.transposed ? row.block_k : row.block_n);
        constants[kLocalSize] = row.subgroup;
        return constants[kLocalSize] <= device_.workgroup_size &&
               use(choice.kernel, std::string("coopmat2_") +
                                      std::string(to_string(is_block(a.type) ? a.type : element)));
    }

    /// Rows of k in vectors of 16 bytes, and three steps of k to a split.
    bool wgmma(const Row& row, std::uint32_t splits, Choice& choice) const {
        const Type element = element_of(problem_);
        const Stored& a = problem_.a;
        const Stored& b = problem_.b;
        if (!device_.wgmma || element != row.element || a.transposed || !b.transposed ||
            problem_.m < row.block_m || problem_.n < row.block_n || problem_.k % row.block_k != 0 ||
            !a.aligned(128 / bits_of(a.type)) || !b.aligned(128 / bits_of(b.type))) {
            return false;
        }
        const std::uint32_t steps = problem_.k / row.block_k;
        const std::uint32_t share = divide_up(steps, splits);
        if (share * (splits - 1) + 3 > steps) {
            return false;
        }
        choice.threads = kWgmmaThreads;
        choice.shared_memory = kWgmmaShared;
        const bool grows = a.type != element;
        return use(choice.kernel, "wgmma_" + std::string(to_string(grows ? a.type : element)));
    }

    bool matvec(const Row& row, Choice& choice) const {
        const Stored& a = problem_.a;
        const Stored& b = problem_.b;
        if (problem_.n > kMostColumns || a.transposed || !device_.subgroup_add) {
            return false;
        }
        auto& constants = choice.kernel.constants;
        const bool whole = problem_.k % kMatvecSpan == 0;
        constants[kCheckA] = whole && a.aligned(kMatvecSpan) ? 1 : 2;
        constants[kCheckB] = whole && b.transposed && b.aligned(kMatvecSpan) ? 1 : 2;
        constants[kBlockN] = problem_.n;
        constants[kLocalSize] = kMatvecThreads;
        choice.groups_x =
            std::min(divide_up(problem_.m,
                               std::max(1U, kMatvecThreads / device_.subgroup_size) * row.part_m),
                     kMostGroups);
        choice.groups_z = problem_.batch;
        choice.name = "matvec rows " + std::to_string(row.part_m);
        // What it is for: nothing else is tried before it.
        choice.cost = 0;
        return use(choice.kernel, storing(problem_.integer ? "matvec_i32" : "matvec_f32", false));
    }

    bool tiled(const Row& row, std::uint32_t splits, Choice& choice) const {
        Parameters& p = choice.parameters;
        p.tiles_m = divide_up(problem_.m, row.block_m);
        p.tiles_n = divide_up(problem_.n, row.block_n);
        p.k_split = divide_up(divide_up(problem_.k, splits), row.block_k) * row.block_k;
        p.splits = divide_up(problem_.k, p.k_split);
        if (p.splits != splits || (splits > 1 && p.k_split < 8 * row.block_k)) {
            return false;
        }
        choice.groups_x = p.tiles_m;
        choice.groups_y = p.tiles_n;
        choice.groups_z = problem_.batch * splits;
        if (std::uint64_t{problem_.batch} * splits > kMostGroups || p.tiles_n > kMostGroups ||
            p.tiles_m > kMostGroups) {
            return false;
        }
        choice.name = std::string(kFamilyNames[static_cast<std::size_t>(row.family)]) + " " +
                      size_name({row.block_m, row.block_n, row.block_k});
        if (row.part_m != 0) {
            choice.name += " part " + size_name({row.part_m, row.part_n});
        }
        if (row.family == Family::kCoopmat) {
            choice.name += " unit " + size_name({row.unit_m, row.unit_n, row.unit_k});
        }
        choice.name += " splits " + std::to_string(splits);
        // Whole waves of workgroups, one a core.
        const double cores = device_.cores != 0 ? device_.cores : 16;
        const std::uint64_t groups = std::uint64_t{p.tiles_m} * p.tiles_n * choice.groups_z;
        if (groups > INT32_MAX) {
            return false;
        }
        const double waves = std::ceil(static_cast<double>(groups) / cores);
        choice.workgroups =
            static_cast<std::uint32_t>(std::min(static_cast<double>(groups), cores));
        const bool slow = row.family == Family::kDot && !device_.fast_dot_product;
        choice.cost =
            waves * row.block_m * row.block_n * p.k_split / (slow ? row.rate / 4 : row.rate);
        if (splits > 1) {
            const std::uint64_t sums = std::uint64_t{problem_.m} * problem_.n * problem_.batch;
            if (sums * splits > UINT32_MAX) {
                return false;
            }
            choice.workspace = 4 * sums * splits;
            choice.reduce.constants = choice.kernel.constants;
            choice.reduce.constants[kLocalSize] = kReduceThreads;
            choice.reduce_groups_x =
                std::min(divide_up(std::uint64_t{problem_.m} * problem_.n, kReduceThreads), 4096U);
            // Sums go out and come back at a few bytes a clock and core, after another launch.
            choice.cost += 8.0 * static_cast<double>(sums) * splits / (cores * 16) + 4000;
            if (choice.workspace > device_.buffer_range ||
                !use(choice.reduce,
                     storing(problem_.integer ? "reduce_i32" : "reduce_f32", false))) {
                return false;
            }
        }
        return true;
    }

    const DeviceInfo& device_;
    const Problem& problem_;
};

}  // namespace

std::vector<Choice> choices(const DeviceInfo& device, const Problem& problem,
                            const std::string& filter) {
    std::vector<Choice> list;
    const Fitter fitter(device, problem);
    for (const Row& row : kRows) {
        for (const std::uint32_t splits : {1, 2, 3, 4, 8}) {
            Choice choice;
            if (fitter.fit(row, splits, choice) && choice.name.find(filter) != std::string::npos) {
                list.push_back(std::move(choice));
            }
        }
    }
    std::stable_sort(list.begin(), list.end(),
                     [](const Choice& a, const Choice& b) { return a.cost < b.cost; });
    return list;
}

}  // namespace xdna::gpu::detail
