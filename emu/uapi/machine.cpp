#include "emu/uapi/machine.hpp"

#include <drm/amdxdna_accel.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "emu/uapi/machine_layout.hpp"

namespace xdna::emu {
namespace fs = std::filesystem;

namespace {

// --- what the PCI function is -------------------------------------------------------------------

// notes/lab.md 4: identity and BARs with which the stock driver works. The bus addresses are ours.
constexpr unsigned kVendor = 0x1022, kDevice = 0x1502, kRevision = 0, kClass = 0x118000;

struct Bar {
    uint64_t address, size;
    unsigned index;
    bool prefetchable_64;
};
constexpr Bar kBars[] = {
    {0xdc600000, 512 << 10, 0, false},                // PSP and SMU registers
    {0xdc680000, 8 << 10, 1, false},                  // MSI-X table and pending bits
    {0x7fc0000000, 256 << 10, 2, true},               // SRAM: mailbox rings
    {0xdc640000 + (512 << 10), 256 << 10, 4, false},  // mailbox registers
};

constexpr size_t kConfigSize = 4096;

/// Configuration space: a PCI Express function with the capabilities that the driver and the IOMMU
/// use. Offsets of the capabilities are ours, their layouts the PCI specifications'.
std::string config_space() {
    std::string bytes(kConfigSize, '\0');
    const auto put = [&](size_t at, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; ++i)
            bytes[at + i] = static_cast<char>(value >> 8 * i);
    };
    put(0x00, kVendor, 2);
    put(0x02, kDevice, 2);
    put(0x04, 0x0406, 2);  // memory space, bus master, INTx off
    put(0x06, 0x0010, 2);  // has capabilities
    put(0x08, kRevision, 1);
    put(0x09, kClass, 3);
    put(0x0C, 0x10, 1);  // cache line of 64 bytes
    for (const Bar& bar : kBars) {
        put(0x10 + 4 * bar.index, bar.address | (bar.prefetchable_64 ? 0xC : 0),
            bar.prefetchable_64 ? 8 : 4);
    }
    put(0x2C, kVendor, 2);
    put(0x2E, kDevice, 2);
    put(0x34, 0x64, 1);

    put(0x64, 0x10, 1);  // PCI Express
    put(0x65, 0xC0, 1);
    put(0x66, 0x0092, 2);      // version 2, root complex integrated endpoint
    put(0x68, 0x10008000, 4);  // function-level reset, role-based errors
    put(0xC0, 0x11, 1);        // MSI-X, last of the list
    put(0xC2, 0x800F, 2);      // on, 16 vectors
    put(0xC4, 0x00000001, 4);  // table at 0 of BAR 1
    put(0xC8, 0x00001001, 4);  // pending bits at 0x1000 of BAR 1

    const auto extended = [&](size_t at, unsigned id, size_t next) {
        put(at, id | 1U << 16 | next << 20, 4);
    };
    extended(0x100, 0x0F, 0x110);  // address translation service
    put(0x106, 0x8000, 2);         // on
    extended(0x110, 0x13, 0x120);  // page requests
    put(0x114, 0x0001, 2);         // on
    put(0x118, 0x20, 4);
    extended(0x120, 0x1B, 0);  // process address space ids
    put(0x124, 0x1000, 2);     // 16 bits wide
    put(0x126, 0x0001, 2);     // on
    return bytes;
}

/// `resource`: start, end and flags of the 13 resources (drivers/pci/pci-sysfs.c; flags of
/// linux/ioport.h).
std::string resources() {
    constexpr uint64_t kMemory = 0x40200, kMemory64 = 0x14220C;
    std::string text;
    for (unsigned index = 0; index < 13; ++index) {
        uint64_t start = 0, end = 0, flags = 0;
        for (const Bar& bar : kBars)
            if (bar.index == index) {
                start = bar.address;
                end = bar.address + bar.size - 1;
                flags = bar.prefetchable_64 ? kMemory64 : kMemory;
            }
        std::array<char, 64> line;
        std::snprintf(line.data(), line.size(), "0x%016llx 0x%016llx 0x%016llx\n",
                      static_cast<unsigned long long>(start), static_cast<unsigned long long>(end),
                      static_cast<unsigned long long>(flags));
        text += line.data();
    }
    return text;
}

std::string hex(unsigned value, int digits) {
    std::array<char, 16> text;
    std::snprintf(text.data(), text.size(), "%0*x", digits, value);
    return text.data();
}

std::string upper_hex(unsigned value, int digits) {
    std::array<char, 16> text;
    std::snprintf(text.data(), text.size(), "%0*X", digits, value);
    return text.data();
}

// --- the entries --------------------------------------------------------------------------------

struct Entry {
    std::string path;      ///< absolute, as the client sees it
    std::string contents;  ///< of the file; or where the link leads, an absolute path
    enum Kind { kFile, kPrivate, kLink, kDirectory } kind = kFile;
};

std::string under(std::string_view directory, std::string_view name) {
    return std::string(directory) + "/" + std::string(name);
}

/// The host's text file with one line more, for files that list what all drivers have.
std::string with_line(const fs::path& file, const std::string& line) {
    std::ifstream in(file);
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    return text + line + "\n";
}

/// /proc/devices with the accel major among the character devices.
std::string devices_with_accel(const fs::path& file) {
    std::ifstream in(file);
    std::string text, line;
    bool known = false;
    while (std::getline(in, line)) {
        known = known || line == "261 accel";
        if (line.empty() && !known)
            text += "261 accel\n";
        text += line + "\n";
    }
    return text.empty() ? "Character devices:\n261 accel\n\nBlock devices:\n" : text;
}

unsigned free_iommu_group(const fs::path& host) {
    unsigned next = 0;
    std::error_code none;
    for (const auto& group : fs::directory_iterator(host / "sys/kernel/iommu_groups", none)) {
        const std::string name = group.path().filename();
        if (name.find_first_not_of("0123456789") == std::string::npos)
            next = std::max(next, static_cast<unsigned>(std::stoul(name)) + 1);
    }
    return next;
}

std::vector<Entry> entries(const MachineFacts& facts, const fs::path& host) {
    const std::string home = kPciHome, address = kPciAddress;
    const std::string accel = home + "/accel/accel0", bus = "/sys/bus/pci";
    const std::string driver = bus + "/drivers/amdxdna", module = "/sys/module/amdxdna";
    const std::string group = "/sys/kernel/iommu_groups/" + std::to_string(free_iommu_group(host));
    const std::string ids = upper_hex(kVendor, 8) + "d" + upper_hex(kDevice, 8);
    const std::string number = std::to_string(kNodeMajor) + ":" + std::to_string(kNodeMinor);

    std::vector<Entry> all = {
        {kNodePath, ""},
        {"/sys/class/accel/accel0", accel, Entry::kLink},
        {"/sys/dev/char/" + number, accel, Entry::kLink},
        {bus + "/devices/" + address, home, Entry::kLink},
        {driver + "/" + address, home, Entry::kLink},
        {driver + "/module", module, Entry::kLink},
        {module + "/drivers/pci:amdxdna", driver, Entry::kLink},
        {group + "/devices/" + address, home, Entry::kLink},
        {group + "/type", "DMA-FQ\n"},
        {group + "/reserved_regions",
         "0x00000000fee00000 0x00000000feefffff msi\n"
         "0x000000fd00000000 0x000000ffffffffff reserved\n"},

        {accel + "/dev", number + "\n"},
        {accel + "/device", home, Entry::kLink},
        {accel + "/subsystem", "/sys/class/accel", Entry::kLink},
        {accel + "/uevent", "MAJOR=" + std::to_string(kNodeMajor) +
                                "\nMINOR=" + std::to_string(kNodeMinor) +
                                "\nDEVNAME=accel/accel0\nDEVTYPE=accel_minor\n"},

        // The module's attributes are the kernel's: it has no version of its own (no
        // MODULE_VERSION), and parameters with the permissions that the driver gives them.
        {module + "/initstate", "live\n"},
        {module + "/refcnt", "0\n"},
        {module + "/taint", "\n"},
        {module + "/parameters/aie2_max_col", "128\n", Entry::kPrivate},
        {module + "/parameters/force_cmdlist", "Y\n", Entry::kPrivate},
        {module + "/parameters/force_iova", facts.force_iova ? "Y\n" : "N\n", Entry::kPrivate},
        {module + "/parameters/tdr_timeout_ms", std::to_string(facts.tdr_timeout_ms) + "\n",
         Entry::kPrivate},
        {"/proc/modules",
         with_line(host / "proc/modules", "amdxdna 196608 0 - Live 0x0000000000000000")},
        {"/proc/devices", devices_with_accel(host / "proc/devices")},
    };

    // Attributes of the PCI function: drivers/pci/pci-sysfs.c, then the driver's own
    // (amdxdna_sysfs.c), then power: kept on, as nothing here ever suspends.
    const std::pair<const char*, std::string> attributes[] = {
        {"vendor", "0x" + hex(kVendor, 4) + "\n"},
        {"device", "0x" + hex(kDevice, 4) + "\n"},
        {"subsystem_vendor", "0x" + hex(kVendor, 4) + "\n"},
        {"subsystem_device", "0x" + hex(kDevice, 4) + "\n"},
        {"revision", "0x" + hex(kRevision, 2) + "\n"},
        {"class", "0x" + hex(kClass, 6) + "\n"},
        {"irq", "0\n"},
        {"enable", "1\n"},
        {"numa_node", "-1\n"},
        {"ari_enabled", "0\n"},
        {"dma_mask_bits", "48\n"},
        {"consistent_dma_mask_bits", "48\n"},
        {"msi_bus", "1\n"},
        {"power_state", "D0\n"},
        {"driver_override", "(null)\n"},
        {"resource", resources()},
        {"config", config_space()},
        {"modalias", "pci:v" + ids + "sv" + upper_hex(kVendor, 8) + "sd" + upper_hex(kDevice, 8) +
                         "bc11sc80i00\n"},
        {"uevent", "DRIVER=amdxdna\nPCI_CLASS=" + upper_hex(kClass, 6) +
                       "\nPCI_ID=" + upper_hex(kVendor, 4) + ":" + upper_hex(kDevice, 4) +
                       "\nPCI_SUBSYS_ID=" + upper_hex(kVendor, 4) + ":" + upper_hex(kDevice, 4) +
                       "\nPCI_SLOT_NAME=" + address + "\nMODALIAS=pci:v" + ids + "sv" +
                       upper_hex(kVendor, 8) + "sd" + upper_hex(kDevice, 8) + "bc11sc80i00\n"},
        {"device_type", std::to_string(facts.device_type) + "\n"},
        {"vbnv", facts.vbnv + "\n"},
        {"fw_version", facts.firmware_version + "\n"},
        {"power/control", "on\n"},
        {"power/runtime_status", "active\n"},
    };
    for (const auto& [name, contents] : attributes)
        all.push_back({under(home, name), contents});
    all.push_back({under(home, "driver"), driver, Entry::kLink});
    all.push_back({under(home, "subsystem"), bus, Entry::kLink});
    all.push_back({under(home, "iommu_group"), group, Entry::kLink});
    return all;
}

// --- the tree -----------------------------------------------------------------------------------

void write(const fs::path& file, const std::string& contents, mode_t mode) {
    fs::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << contents;
    out.close();
    if (!out)
        throw std::system_error(errno, std::generic_category(), file.string());
    if (::chmod(file.c_str(), mode) != 0)
        throw std::system_error(errno, std::generic_category(), file.string());
}

/// A link's text as sysfs writes it: by way of an ancestor of the target's parent, so that even a
/// link to an ancestor ends in a name.
fs::path link_text(const Entry& entry) {
    const fs::path target = entry.contents;
    const fs::path from = fs::path(entry.path).parent_path();
    return target.parent_path().lexically_relative(from) / target.filename();
}

/// A real NPU of the host's: it stays out of the listings, or programs would find two.
bool is_a_hosts_npu(const fs::path& entry) {
    std::error_code none;
    return fs::exists(entry / "accel", none) ||
           entry.filename().string().starts_with(std::to_string(kNodeMajor) + ":");
}

/// Puts the host's entries beside ours, as links with absolute targets: by that the interposer
/// knows them from the tree's own.
void add_hosts_entries(const fs::path& root, const fs::path& host) {
    std::vector<fs::path> directories;
    for (const auto& entry : fs::recursive_directory_iterator(root))
        if (!entry.is_symlink() && entry.is_directory())
            directories.push_back(entry.path());
    for (const fs::path& directory : directories) {
        const fs::path seen = "/" / directory.lexically_relative(root);
        if (is_exclusive(seen.native()) || is_transparent(seen.native()))
            continue;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(host / seen.relative_path(), none)) {
            const fs::path name = entry.path().filename();
            if (!fs::exists(fs::symlink_status(directory / name)) && !is_a_hosts_npu(entry.path()))
                fs::create_symlink(seen / name, directory / name);
        }
    }
}

/// Trees of runs that were killed before they could clean up: their lock is free.
void remove_abandoned(const fs::path& temporary) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(temporary, none)) {
        if (!entry.path().filename().string().starts_with("xdna-emu."))
            continue;
        UniqueFd lock(::open((entry.path() / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        struct stat status {};
        if (lock && ::fstat(lock.get(), &status) == 0 && status.st_uid == ::geteuid() &&
            ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0)
            fs::remove_all(entry.path(), none);
    }
}

}  // namespace

Machine::Machine(const MachineFacts& facts, const fs::path& host) {
    const fs::path temporary = fs::temp_directory_path();
    remove_abandoned(temporary);
    std::string name = temporary / "xdna-emu.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), name);
    home_ = fs::canonical(name);
    root_ = home_ / "root";
    try {
        const fs::path fresh = home_ / "lock.new";
        lock_.reset(::open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
            throw std::system_error(errno, std::generic_category(), fresh.string());
        fs::rename(fresh, home_ / "lock");
        // A client that gave up its privileges reads the tree too.
        fs::permissions(home_, fs::perms(0755));

        const mode_t mask = ::umask(022);
        for (const Entry& entry : entries(facts, host)) {
            const fs::path at = root_ / fs::path(entry.path).relative_path();
            switch (entry.kind) {
                case Entry::kFile:
                    write(at, entry.contents, entry.path == kNodePath ? kNodeMode : 0444);
                    break;
                case Entry::kPrivate:
                    write(at, entry.contents, 0600);
                    break;
                case Entry::kLink:
                    fs::create_directories(at.parent_path());
                    fs::create_symlink(link_text(entry), at);
                    break;
                case Entry::kDirectory:
                    fs::create_directories(at);
                    break;
            }
        }
        add_hosts_entries(root_, host);
        if (const group* render = ::getgrnam("render")) [[maybe_unused]]
            int refused = ::chown((root_ / fs::path(kNodePath).relative_path()).c_str(),
                                  static_cast<uid_t>(-1), render->gr_gid);
        ::umask(mask);
    } catch (...) {
        std::error_code none;
        fs::remove_all(home_, none);
        throw;
    }
}

Machine::~Machine() {
    std::error_code none;
    fs::remove_all(home_, none);
}

// --- what only the driver knows -----------------------------------------------------------------

namespace {

/// This process, as the driver's caller.
class Ourselves : public Caller {
  public:
    pid_t pid() const override { return ::getpid(); }
    bool capable_sys_admin() const override { return false; }
    bool capable_ipc_lock() const override { return false; }
    uint64_t memlock_limit() const override { return 0; }
    int copy_in(void* to, uint64_t from, size_t size) override {
        std::memcpy(to, reinterpret_cast<const void*>(from), size);
        return 0;
    }
    int copy_out(uint64_t to, const void* from, size_t size) override {
        std::memcpy(reinterpret_cast<void*>(to), from, size);
        return 0;
    }
    UniqueFd take_fd(int) override { return {}; }
    void give_fd(UniqueFd, size_t, bool) override {}
    bool interrupted() const override { return false; }
    void on_interrupt(std::function<void()>) override {}
};

}  // namespace

MachineFacts ask(Driver& driver, const Driver::Options& options) {
    Ourselves us;
    std::unique_ptr<File> file;
    if (int err = driver.open(us, file); err != 0)
        throw std::runtime_error(std::string("the virtual driver refuses open(): ") +
                                 std::strerror(-err));
    amdxdna_drm_query_firmware_version version{};
    amdxdna_drm_get_info query{};
    query.param = DRM_AMDXDNA_QUERY_FIRMWARE_VERSION;
    query.buffer_size = sizeof version;
    query.buffer = reinterpret_cast<uint64_t>(&version);
    if (int err = file->ioctl(us, DRM_IOCTL_AMDXDNA_GET_INFO, &query); err != 0)
        throw std::runtime_error(
            std::string("the virtual driver refuses QUERY_FIRMWARE_VERSION: ") +
            std::strerror(-err));
    MachineFacts facts;
    facts.vbnv = std::string("RyzenAI-") + options.device;  // npu1_regs.c, default_vbnv
    facts.device_type = AMDXDNA_DEV_TYPE_KMQ;
    facts.firmware_version = std::to_string(version.major) + "." + std::to_string(version.minor) +
                             "." + std::to_string(version.patch) + "." +
                             std::to_string(version.build);
    facts.tdr_timeout_ms = options.tdr_timeout_ms;
    facts.force_iova = options.force_iova;
    return facts;
}

}  // namespace xdna::emu
