#include <algorithm>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

// A firmware image holds at least a signed header and code; the published ones are over 100 KiB.
constexpr uint64_t kSmallestFirmware = 4096;

bool usable(const FirmwareFile& file) {
    return file.error == 0 && file.regular && file.size >= kSmallestFirmware;
}

std::string describe(const FirmwareFile& file) {
    const std::string name = file.target.empty() ? file.path : file.path + " -> " + file.target;
    if (file.error != 0) {
        return name + ": " + errno_text(file.error);
    }
    return file.regular ? name + " (" + size_text(file.size) + ")" : name + ": not a regular file";
}

std::string running_version(const Device& npu) {
    return npu.answers.firmware ? printable(npu.answers.firmware.value) : npu.sysfs_firmware;
}

// --- firmware.file
constexpr Outcome kFile[] = {
    {"missing", Status::kFail, "No firmware for this NPU is installed.",
     "Install the distribution's firmware package (firmware-amd-misc, linux-firmware, "
     "amd-npu-firmware or similar), rebuild the initramfs, reboot.",
     "amd/xdna-driver issues 342, 421"},
};
Verdict check_file(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.bdf.empty()) {
        return skip("the NPU's model is not visible");
    }
    if (!npu.firmware.empty()) {
        return pass(describe(npu.firmware.front()));
    }
    if (m.npu_works()) {
        return skip("the NPU runs firmware " + running_version(npu) +
                    "; its file is not visible here");
    }
    return bad("missing",
               "no npu.sbin, npu_7.sbin (.zst, .xz) in /lib/firmware/" + npu.firmware_directory);
}

// --- firmware.sound
constexpr Outcome kSound[] = {
    {"dangling", Status::kFail,
     "The firmware is a link to a file that does not exist, as when the "
     "target was compressed or removed.",
     "Reinstall the firmware package; then rebuild the initramfs.", "amd/xdna-driver issue 421"},
    {"truncated", Status::kFail, "The firmware file is too short to be one.",
     "Reinstall the firmware package; a git checkout without LFS, or a failed download, leaves "
     "such files.",
     "amd/xdna-driver issue 282"},
    {"not-a-file", Status::kFail, "Something else lies where the firmware file should be.",
     "Remove it and reinstall the firmware package.", "inferred"},
};
Verdict check_sound(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.firmware.empty()) {
        return skip("no file visible");
    }
    const FirmwareFile& first = npu.firmware.front();
    if (usable(first)) {
        return pass(size_text(first.size));
    }
    return bad(first.error != 0 ? "dangling"
               : first.regular  ? "truncated"
                                : "not-a-file",
               describe(first));
}

// --- firmware.load
constexpr Outcome kLoad[] = {
    {"not-found", Status::kFail,
     "The kernel did not find the firmware when the module loaded. If the file is there now, the "
     "module was loaded from an initramfs that lacks it.",
     "Install the firmware, rebuild the initramfs (update-initramfs -u, dracut -f), reboot.",
     "amd/xdna-driver issues 342, 421"},
    {"damaged", Status::kFail, "The firmware file is damaged or truncated.",
     "Reinstall the firmware package.", "amd/xdna-driver issue 282"},
    {"other", Status::kFail, "The kernel could not load the firmware.",
     "Reinstall the firmware package; the error number in the line says what failed.",
     "drivers/base/firmware_loader/main.c"},
};
Verdict check_load(const Machine& m) {
    const std::string file = loaded_firmware(m.answers.log_lines);
    return logged_or_pass(m, "firmware.load",
                          file.empty() ? "no complaint logged" : ("loaded " + file).c_str());
}

// --- firmware.protocol
constexpr Outcome kProtocol[] = {
    {"incompatible", Status::kFail,
     "Driver and firmware speak different protocols: new firmware (protocol 7, such as 1.1.2.64) "
     "under an older in-tree driver that wants 6, or the other way round.",
     "Install a matching pair: a newer kernel or driver, or the older firmware file. Then reboot.",
     "amd/xdna-driver issue 1074"},
    {"refused", Status::kFail,
     "The driver gave up with -95, which is how newer drivers refuse a firmware protocol that is "
     "in "
     "no table of theirs.",
     "Install a matching pair: a newer kernel or driver, or the older firmware file. Then reboot.",
     "drivers/accel/amdxdna/aie.c (aie_check_protocol)"},
};
Verdict check_protocol(const Machine& m) {
    return logged_or_pass(m, "firmware.protocol", "no complaint logged");
}

// --- firmware.start
constexpr Outcome kStart[] = {
    {"power-stuck", Status::kFail,
     "The power controller refuses commands: a firmware that does not fit the driver failed to "
     "start, and left power management stuck.",
     "Install a matching pair of driver and firmware, then reboot.",
     "amd/xdna-driver issues 1193, 1257"},
    {"wrong-device", Status::kFail,
     "What started is not the firmware of this NPU: the file is for another device or revision.",
     "Put the file of this device and revision in its folder, then reboot.",
     "amd/xdna-driver issue 389"},
    {"psp-refused", Status::kFail, "The security processor did not accept the firmware.",
     "Reinstall the firmware package and update the BIOS; then power off and on.",
     "drivers/accel/amdxdna/aie_psp.c"},
    {"not-alive", Status::kFail, "The firmware was started but never reported.",
     "Install a matching pair of driver and firmware, then reboot.", "amd/xdna-driver issue 1074"},
};
Verdict check_start(const Machine& m) {
    // The first of these lines is the cause; what follows it is consequence.
    const auto found = std::find_if(m.log.begin(), m.log.end(), [](const LogMatch& match) {
        return std::string(match.check) == "firmware.start";
    });
    return found == m.log.end() ? pass("no complaint logged") : bad(found->outcome, found->line);
}

// --- firmware.choice
constexpr Outcome kChoice[] = {
    {"override", Status::kWarn,
     "A file that comes earlier in the search order hides the packaged firmware.",
     "Remove it if it is not meant: the order is npu.dev.sbin, npu_7.sbin, npu.sbin, each first in "
     "the custom path and in updates/.",
     "amd/xdna-driver issue 1250"},
    {"replaced", Status::kWarn,
     "The firmware that was loaded is not the file that would be taken now.",
     "Reboot, or reload the module with no program using the NPU.", "amd/xdna-driver issue 1250"},
};
Verdict check_choice(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.firmware.empty()) {
        return skip("no file visible");
    }
    const FirmwareFile& first = npu.firmware.front();
    std::string all;
    for (const FirmwareFile& file : npu.firmware) {
        all += (all.empty() ? "" : "; ") + describe(file);
    }
    const std::string packaged = "/lib/firmware/amdnpu/";
    const bool custom =
        !first.path.starts_with(packaged) || first.path.find("npu.dev.sbin") != std::string::npos;
    if (custom && npu.firmware.size() > 1) {
        return bad("override", all);
    }
    const std::string loaded = loaded_firmware(m.answers.log_lines);
    if (!loaded.empty() && first.path.find("/" + loaded) == std::string::npos) {
        return bad("replaced", "loaded " + loaded + "; now first: " + describe(first));
    }
    return pass(npu.firmware.size() == 1 ? "one candidate" : "taken first: " + describe(first));
}

// --- firmware.running
constexpr Outcome kRunning[] = {
    {"unknown", Status::kWarn, "The NPU does not say which firmware it runs.",
     "Nothing to do if it works; note the firmware file in reports.", "inferred"},
};
Verdict check_running(const Machine& m) {
    const std::string version = running_version(*m.npu());
    if (!version.empty() && version != "0.0.0.0") {
        return pass(version);
    }
    if (!m.npu()->answers.firmware.asked()) {
        return skip("the NPU could not be asked");
    }
    const int error = m.npu()->answers.firmware.error;
    return bad("unknown", error == 0 ? "version " + version : errno_text(error));
}

// --- firmware.runtimes
constexpr const char* kOldestForRuntimes = "1.1.0.0";
constexpr Outcome kRuntimes[] = {
    {"too-old", Status::kWarn,
     "This firmware runs, but FastFlowLM and others want 1.1.0.0 or newer; the distribution's "
     "package brings an older one.",
     "Newer firmware together with a newer driver (they have to match).",
     "FastFlowLM issue 421; amd/xdna-driver issue 958"},
};
Verdict check_runtimes(const Machine& m) {
    const std::string version = running_version(*m.npu());
    if (version.empty() || !m.npu()->xdna2()) {
        return skip(version.empty() ? "running version unknown" : "concerns XDNA 2 only");
    }
    return compare_version(version, kOldestForRuntimes) < 0 ? bad("too-old", version)
                                                            : pass(version);
}

constexpr Check kChecks[] = {
    {"firmware.file", "firmware", "firmware file", "pci.known", kNeedsNpu, Role::kCause, check_file,
     kFile},
    {"firmware.sound", "firmware", "file is sound", "firmware.file", kNeedsNpu, Role::kCause,
     check_sound, kSound},
    {"firmware.choice", "firmware", "which file is taken", "firmware.sound", kNeedsNpu,
     Role::kCause, check_choice, kChoice},
    {"firmware.load", "firmware", "firmware loading", "module.loaded firmware.sound",
     kNeedsNpu | kNeedsLog, Role::kCause, check_load, kLoad},
    {"firmware.start", "firmware", "firmware start", "firmware.load firmware.protocol",
     kNeedsNpu | kNeedsLog, Role::kCause, check_start, kStart},
    {"firmware.protocol", "firmware", "protocol", "firmware.load", kNeedsNpu | kNeedsLog,
     Role::kCause, check_protocol, kProtocol},
    {"firmware.running", "firmware", "running firmware", "driver.bound", kNeedsNpu, Role::kSymptom,
     check_running, kRunning},
    {"firmware.runtimes", "firmware", "new enough for runtimes", "firmware.running", kNeedsNpu,
     Role::kSymptom, check_runtimes, kRuntimes},
};

}  // namespace

std::span<const Check> firmware_checks() {
    return kChecks;
}

}  // namespace xdna::probe
