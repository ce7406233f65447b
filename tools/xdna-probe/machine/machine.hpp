// The facts about one machine, top to bottom, as the checks see them.
#pragma once

#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/xdna-probe/machine/answers.hpp"
#include "tools/xdna-probe/machine/files.hpp"
#include "tools/xdna-probe/machine/kernel_log.hpp"

namespace xdna::probe {

enum class Known { kUnknown, kNo, kYes };

struct Cpu {
    std::string vendor;  ///< "AuthenticAMD"; "" if unknown
    std::string name;
    unsigned family = 0;
    unsigned model = 0;
    Known guest = Known::kUnknown;  ///< the hypervisor flag
};

struct Host {
    std::string os;
    std::string product;    ///< DMI product name
    std::string bios;       ///< DMI BIOS version and date
    std::string container;  ///< "docker", "podman", ...; "" outside
    bool user_namespace = false;
    std::string xen;  ///< /sys/hypervisor/type
    Cpu cpu;
    Known secure_boot = Known::kUnknown;
    std::string lockdown;  ///< "none", "integrity", "confidentiality"; "" if unknown
    bool cmdline_known = false;
    std::vector<std::string> cmdline;
    bool config_known = false;
    std::map<std::string, std::string> config;  ///< CONFIG_... -> y, m, n
    Known iommu = Known::kUnknown;              ///< the kernel has an IOMMU
    std::vector<std::string> iommus;            ///< "ivhd0"
    std::map<std::string, unsigned> groups;     ///< render, video -> gid
    std::vector<std::string> memlock_limits;    ///< limits.conf lines
};

struct ModuleFile {
    std::string path;
    bool in_tree = false;
    bool compressed = false;  ///< its strings cannot be read
    bool readable = false;
    bool is_signed = false;
    std::string version;
    std::string srcversion;
    std::string vermagic;
};

struct DkmsBuild {
    std::string version;  ///< "xrt-amdxdna/2.19.0"
    bool built = false;   ///< for the running kernel
    std::string error;    ///< first compiler error of its log
};

struct Module {
    Known loaded = Known::kUnknown;
    bool builtin = false;
    bool files_known = false;
    std::string version;
    std::string srcversion;
    std::string taint;  ///< "OE": out of tree, unsigned
    std::vector<std::string> blacklisted_by;
    std::vector<ModuleFile> files;  ///< in modprobe's order: the first is the one it loads
    std::map<std::string, std::string> parameters;
    std::vector<DkmsBuild> dkms;
};

struct FirmwareFile {
    std::string path;
    std::string target;  ///< behind links; "" if the same
    int error = 0;       ///< ENOENT: dangling
    uint64_t size = 0;
    bool regular = false;
    bool compressed = false;
};

struct Bar {
    unsigned index = 0;
    uint64_t start = 0;
    uint64_t size = 0;
};

struct Device {
    std::string bdf;  ///< "" where only the node is visible
    uint16_t vendor = 0;
    uint16_t device = 0;
    uint8_t revision = 0;
    std::string generation;  ///< "npu1"; "unknown"
    std::string marketing_name;
    std::string driver;  ///< bound, "" if none
    std::string vbnv;
    std::string sysfs_firmware;  ///< fw_version
    std::string runtime_status;
    bool config_known = false;
    std::string config;  ///< configuration space; 64 bytes without privilege
    Known pasid = Known::kUnknown;
    Known ats = Known::kUnknown;
    Known pri = Known::kUnknown;
    bool bars_known = false;
    std::vector<Bar> bars;
    std::optional<unsigned> iommu_group;
    std::string iommu_type;              ///< "DMA", "DMA-FQ", "identity"
    std::string firmware_directory;      ///< "amdnpu/1502_00"
    std::vector<FirmwareFile> firmware;  ///< candidates in the driver's order
    std::string sysfs_node;              ///< "accel0"
    std::string node;                    ///< "/dev/accel/accel0"; "" if there is none
    Result<FileStat> node_stat{ENOENT, {}};
    bool node_mounted = false;  ///< a mount of its own: bind-mounted into a container
    NodeAnswers answers;

    bool xdna2() const { return generation != "npu1" && generation.starts_with("npu"); }
    /// The driver opened and the NPU itself has answered.
    bool answers_queries() const { return answers.open_error == 0 && bool(answers.metadata); }
};

struct XrtInstall {
    std::string core;      ///< libxrt_core file
    std::string version;   ///< from its file name
    std::string plugin;    ///< libxrt_driver_xdna file beside it; "" if none
    std::string found_by;  ///< "LD_LIBRARY_PATH", "XILINX_XRT", "loader cache", "/opt/xilinx/xrt"
};

struct Userspace {
    std::vector<XrtInstall> xrt;              ///< the first is the one the loader picks
    std::vector<std::string> stray_plugins;   ///< plug-ins beside no libxrt_core
    std::string python;                       ///< "3.11"
    std::vector<std::string> pyxrt;           ///< pyxrt.cpython-313-x86_64-linux-gnu.so
    std::string validate_archive;             ///< xrt_smi_*.a for this generation
    std::vector<std::string> xdna2_programs;  ///< installed programs that want XDNA 2
    std::vector<std::string> vulkan_drivers;  ///< ICD manifests
    std::vector<std::string> gpus;            ///< "renderD128 amdgpu 1002:15bf"
};

struct Machine {
    Answers answers;
    Host host;
    Module module;
    std::vector<Device> devices;
    Userspace userspace;
    std::vector<LogMatch> log;
    bool pci_visible = false;  ///< /sys/bus/pci/devices can be listed
    bool captured = false;

    /// The NPU that the checks look at: the first with a node, else the first.
    const Device* npu() const;
    bool npu_works() const { return npu() != nullptr && npu()->answers_queries(); }
};

/// Reads everything once. Never throws for what it finds.
Machine gather(Files& files, Answers answers, bool captured);

// Its parts, one file each.
Host gather_host(Files& files, const Answers& answers);
Module gather_module(Files& files, const Answers& answers);
std::vector<Device> gather_devices(Files& files, const Answers& answers);
Userspace gather_userspace(Files& files, const Answers& answers, const std::string& generation);

/// The nodes that gather_devices() would look at, for whoever asks them first.
std::vector<std::string> accel_nodes(Files& files);

}  // namespace xdna::probe
