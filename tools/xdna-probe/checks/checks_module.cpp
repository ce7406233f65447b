#include <algorithm>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

bool loaded(const Machine& m) {
    return m.module.loaded == Known::kYes || m.module.builtin;
}

std::string describe(const ModuleFile& file) {
    return file.path + (file.in_tree ? " (in-tree)" : " (out-of-tree)");
}

// --- secureboot.module
constexpr Outcome kSecureBoot[] = {
    {"rejected", Status::kFail,
     "The kernel rejected a module: Secure Boot or lockdown wants a signature by an enrolled key.",
     "Enrol the key that signs the module: mokutil --import /var/lib/dkms/mok.pub, reboot, and "
     "confirm in the blue screen. Or use the kernel's own module.",
     "dkms-project/dkms issue 347"},
    {"unsigned", Status::kFail,
     "Secure Boot is on, the module that would be loaded is not signed, and none is loaded.",
     "Sign it with an enrolled key (dkms does, once mokutil --import /var/lib/dkms/mok.pub is "
     "confirmed at boot), or use the kernel's own module.",
     "dkms-project/dkms issue 347"},
};
Verdict check_secure_boot(const Machine& m) {
    const char* state = m.host.secure_boot == Known::kYes  ? "Secure Boot on"
                        : m.host.secure_boot == Known::kNo ? "Secure Boot off"
                                                           : "Secure Boot unknown";
    const std::string seen =
        state + (m.host.lockdown.empty() ? "" : ", lockdown " + printable(m.host.lockdown));
    if (loaded(m)) {
        return pass(seen);
    }
    if (const LogMatch* match = logged(m, "secureboot.module")) {
        return bad(match->outcome, match->line);
    }
    if (m.host.secure_boot == Known::kUnknown) {
        return skip("not recorded");
    }
    const bool candidate_unsigned = !m.module.files.empty() && m.module.files.front().readable &&
                                    !m.module.files.front().compressed &&
                                    !m.module.files.front().is_signed;
    return m.host.secure_boot == Known::kYes && candidate_unsigned
               ? bad("unsigned", seen + "; no signature on " + m.module.files.front().path)
               : pass(seen);
}

// --- module.installed
constexpr Outcome kInstalled[] = {
    {"missing", Status::kFail, "No amdxdna module is installed for the running kernel.",
     "Use a kernel that has it (Linux 6.14 or newer with CONFIG_DRM_ACCEL_AMDXDNA; on some "
     "distributions in a package such as linux-modules-extra), or install the out-of-tree driver.",
     "amd/xdna-driver README; jaminmc/pve-kernel issue 1"},
};
Verdict check_installed(const Machine& m) {
    if (m.module.builtin) {
        return pass("built into the kernel");
    }
    if (!m.module.files.empty()) {
        return pass(describe(m.module.files.front()));
    }
    if (loaded(m)) {
        return pass("loaded; its file is not visible here");
    }
    return m.module.files_known
               ? bad("missing", "no amdxdna.ko in /lib/modules/" + printable(m.answers.release))
               : skip("/lib/modules of the running kernel is not visible");
}

// --- module.dkms
constexpr Outcome kDkms[] = {
    {"build-failed", Status::kFail,
     "The out-of-tree driver does not compile against this kernel: its code is older than the "
     "kernel's interfaces.",
     "Install a newer out-of-tree driver, or remove it and use the kernel's own.",
     "amd/xdna-driver issues 628, 900, pull 1564"},
    {"not-built", Status::kWarn,
     "The out-of-tree driver is installed, but not built for this kernel.",
     "Install the headers of the running kernel, then: dkms autoinstall.",
     "amd/xdna-driver issue 628"},
};
Verdict check_dkms(const Machine& m) {
    if (m.module.dkms.empty()) {
        return pass("no out-of-tree package");
    }
    for (const DkmsBuild& build : m.module.dkms) {
        if (build.built) {
            return pass(printable(build.version) + ", built for this kernel");
        }
    }
    const DkmsBuild& build = m.module.dkms.back();
    return build.error.empty() ? bad("not-built", printable(build.version))
                               : bad("build-failed", build.error);
}

// --- module.build
constexpr Outcome kBuild[] = {
    {"relocation", Status::kFail,
     "The module was built against another kernel image than the one "
     "that runs.",
     "Install the headers that belong exactly to the running kernel and rebuild (dkms remove, "
     "dkms install).",
     "amd/xdna-driver issue 1469"},
    {"symbols", Status::kFail, "The module does not fit the running kernel.",
     "Rebuild it against the headers of the running kernel.", "amd/xdna-driver issue 1469"},
    {"vermagic", Status::kFail, "The installed module was built for another kernel.",
     "Rebuild it against the headers of the running kernel, then depmod -a.",
     "amd/xdna-driver issue 1469"},
};
Verdict check_build(const Machine& m) {
    if (loaded(m)) {
        return pass("the module was loaded");
    }
    if (const LogMatch* match = logged(m, "module.build")) {
        return bad(match->outcome, match->line);
    }
    for (const ModuleFile& file : m.module.files) {
        const std::vector<std::string> words = split_words(file.vermagic);
        if (!words.empty() && words[0] != m.answers.release) {
            return bad("vermagic", file.path + ": vermagic " + file.vermagic);
        }
    }
    return pass("nothing says that it does not fit");
}

// --- module.loaded
constexpr Outcome kLoaded[] = {
    {"blacklisted", Status::kFail, "A modprobe configuration keeps the module from loading.",
     "Remove that line, then: sudo modprobe amdxdna.", "modprobe.d(5)"},
    {"not-loaded", Status::kFail, "The module is installed but not loaded.",
     "sudo modprobe amdxdna; what it prints, and the kernel log after it, name the reason if it "
     "fails.",
     "amd/xdna-driver README"},
};
Verdict check_loaded(const Machine& m) {
    if (m.module.builtin) {
        return pass("built in");
    }
    if (m.module.loaded == Known::kYes) {
        std::string seen = "amdxdna";
        seen += m.module.version.empty() ? "" : " " + m.module.version;
        const bool foreign = m.module.taint.find('O') != std::string::npos;
        return pass(seen + (foreign ? ", out-of-tree" : ", in-tree"));
    }
    if (m.module.loaded == Known::kUnknown) {
        return skip("/sys/module is not visible");
    }
    return m.module.blacklisted_by.empty() ? bad("not-loaded", "no /sys/module/amdxdna")
                                           : bad("blacklisted", m.module.blacklisted_by.front());
}

// --- module.single
constexpr Outcome kSingle[] = {
    {"two", Status::kWarn,
     "An in-tree and an out-of-tree module are installed. Firmware and XRT have to fit the one "
     "that "
     "is loaded.",
     "Keep one: remove the DKMS package, or leave it and make sure that the XRT of the same "
     "release is used.",
     "FastFlowLM Linux guide"},
};
Verdict check_single(const Machine& m) {
    const auto& files = m.module.files;
    const bool in_tree = std::any_of(files.begin(), files.end(), [](auto& f) { return f.in_tree; });
    const bool foreign =
        std::any_of(files.begin(), files.end(), [](auto& f) { return !f.in_tree; });
    if (!in_tree || !foreign) {
        return pass(files.empty() ? "no file visible" : "one installed");
    }
    std::string seen;
    for (const ModuleFile& file : files) {
        seen += (seen.empty() ? "" : "; ") + describe(file);
    }
    return bad("two", seen + "; loaded: " +
                          (m.module.taint.find('O') != std::string::npos ? "the out-of-tree one"
                                                                         : "the in-tree one"));
}

// --- module.current
constexpr Outcome kCurrent[] = {
    {"other-build", Status::kWarn,
     "The module that runs is not the one that modprobe would load now: it was replaced since, or "
     "comes from the initramfs.",
     "Rebuild the initramfs (update-initramfs -u, dracut -f) and reboot.",
     "FastFlowLM Linux guide"},
};
Verdict check_current(const Machine& m) {
    if (m.module.files.empty() || m.module.files.front().srcversion.empty() ||
        m.module.srcversion.empty()) {
        return skip("the build of the file or of the running module cannot be read");
    }
    const ModuleFile& file = m.module.files.front();
    return file.srcversion == m.module.srcversion
               ? pass("srcversion " + file.srcversion)
               : bad("other-build", "running srcversion " + m.module.srcversion + ", " + file.path +
                                        " has " + file.srcversion);
}

// --- module.params
constexpr Outcome kParams[] = {
    {"force-iova-refused", Status::kFail,
     "force_iova is on, and this IOMMU cannot give the driver an address space of its own.",
     "Remove force_iova from modprobe.d and reload the module.",
     "drivers/accel/amdxdna/amdxdna_iommu.c"},
    {"unusual", Status::kWarn, "A module parameter differs from its default.",
     "Check that it is meant; it is set in /etc/modprobe.d or on the boot options.",
     "drivers/accel/amdxdna (module_param)"},
};
Verdict check_params(const Machine& m) {
    if (const LogMatch* match = logged(m, "module.params")) {
        return bad(match->outcome, match->line);
    }
    // name, default. aie2_max_col's default is larger than any array.
    static constexpr const char* kDefaults[][2] = {{"force_iova", "N"},
                                                   {"force_cmdlist", "Y"},
                                                   {"tdr_timeout_ms", "2000"},
                                                   {"aie2_max_col", "128"}};
    if (m.module.parameters.empty()) {
        return skip("not readable");
    }
    std::string seen;
    for (const auto& [name, value] : kDefaults) {
        const auto found = m.module.parameters.find(name);
        if (found != m.module.parameters.end() && !found->second.empty() &&
            found->second != value) {
            seen += (seen.empty() ? "" : ", ") + found->first + "=" + found->second + " (default " +
                    value + ")";
        }
    }
    return seen.empty() ? pass("defaults") : bad("unusual", seen);
}

constexpr Check kChecks[] = {
    {"secureboot.module", "module", "Secure Boot", "", kNeedsNpu, Role::kCause, check_secure_boot,
     kSecureBoot},
    {"module.dkms", "module", "out-of-tree build", "", kNeedsNpu, Role::kCause, check_dkms, kDkms},
    {"module.installed", "module", "module installed", "kernel.config module.dkms", kNeedsNpu,
     Role::kCause, check_installed, kInstalled},
    {"module.build", "module", "module fits the kernel", "module.installed", kNeedsNpu,
     Role::kCause, check_build, kBuild},
    {"module.loaded", "module", "module loaded",
     "kernel.cmdline secureboot.module module.installed module.build", kNeedsNpu, Role::kCause,
     check_loaded, kLoaded},
    {"module.single", "module", "one module only", "", kNeedsNpu, Role::kCause, check_single,
     kSingle},
    {"module.current", "module", "running build", "module.loaded", kNeedsNpu, Role::kCause,
     check_current, kCurrent},
    {"module.params", "module", "module parameters", "module.loaded", kNeedsNpu, Role::kCause,
     check_params, kParams},
};

}  // namespace

std::span<const Check> module_checks() {
    return kChecks;
}

}  // namespace xdna::probe
