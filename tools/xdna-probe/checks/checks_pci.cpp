#include <algorithm>
#include <cstdio>

#include "libxdna/ids.hpp"
#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kNotVisible =
    "the PCI function is not visible, only the node (/sys hidden, as in some containers)";

std::string identity(const Device& npu) {
    char text[64];
    std::snprintf(text, sizeof text, "%04x:%04x rev %02x at ", npu.vendor, npu.device,
                  npu.revision);
    return text + npu.bdf;
}

// --- pci.present
// What to do on a machine that shows no NPU; each outcome adds its own.
constexpr const char* kNext =
    "NPUs are in Ryzen 7040, 8040 and 8045 (Phoenix, Hawk Point), Ryzen AI 300 and AI Max (Strix, "
    "Strix Halo, Krackan). On one of these: look for 'IPU', 'NPU' or 'Signal processing' in the "
    "firmware setup, switch it on, and use Linux 6.14 or newer with the module amdxdna. Without "
    "hardware: xdna-emu runs any program against a virtual NPU.";
constexpr Outcome kPresent[] = {
    {"cpu-has-one", Status::kFail,
     "This CPU's family has an NPU, but no PCI function of one is there: it is switched off in the "
     "firmware setup, the maker does not expose it, or this part was sold without it.",
     "Look for 'IPU', 'NPU' or 'Signal processing' in the firmware setup, and update the BIOS; "
     "then "
     "use Linux 6.14 or newer with the module amdxdna. If there is no such option, the maker does "
     "not offer the NPU on this machine; xdna-emu has a virtual one.",
     "amd/RyzenAI-SW issue 5; amd/IRON README"},
    {"guest", Status::kFail,
     "This is a virtual machine, and it has no NPU of its own; the driver refuses one that is "
     "passed through.",
     kNext, "amd/xdna-driver issue 178"},
    {"none", Status::kFail, "This machine has no NPU that the driver knows.", kNext,
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
    {"hidden", Status::kFail, "The PCI devices of this machine are not visible (no /sys/bus/pci).",
     "In a container: mount /sys. Otherwise: mount -t sysfs none /sys.", "inferred"},
};
Verdict check_present(const Machine& m) {
    if (const Device* npu = m.npu()) {
        return pass(
            npu->bdf.empty()
                ? kNotVisible
                : identity(*npu) + ", " + npu->generation +
                      (npu->marketing_name.empty() ? "" : " (" + npu->marketing_name + ")"));
    }
    const auto all = host_checks();
    const auto cpu = std::find_if(all.begin(), all.end(), [](const Check& check) {
        return std::string(check.id) == "host.cpu";
    });
    if (!m.pci_visible) {
        return bad("hidden", "/sys/bus/pci/devices cannot be listed");
    }
    if (m.host.cpu.guest == Known::kYes) {
        return bad("guest", "no PCI function with an NPU's id; the CPU has the flag 'hypervisor'");
    }
    const Verdict verdict = cpu->evaluate(m);
    return bad(verdict.status == Status::kPass ? "cpu-has-one" : "none",
               "no PCI function 1022:1502, 1022:17f0 to 17f3 or 1022:1b0a to 1b0c" +
                   (m.host.cpu.name.empty() ? "" : "; CPU: " + m.host.cpu.name));
}

// --- pci.known
constexpr Outcome kKnownIds[] = {
    {"dropped", Status::kFail, "This revision (npu2) was known to older drivers only.",
     "Linux 6.14 to 6.17 had it; newer drivers do not bind it.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c of Linux 6.14 and 7.3"},
    {"unknown-revision", Status::kFail,
     "The device number is an NPU's, but this driver generation does not know the revision.",
     "Use a newer kernel or the out-of-tree driver; engineering samples are not supported.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
};
Verdict check_known(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.bdf.empty()) {
        return skip(kNotVisible);
    }
    if (npu.generation == "npu2") {
        return bad("dropped", identity(npu));
    }
    return npu.generation == "unknown" ? bad("unknown-revision", identity(npu))
                                       : pass(npu.generation);
}

// --- pci.alive
constexpr Outcome kAlive[] = {
    {"gone", Status::kFail,
     "The configuration space reads as all ones: the function does not answer the bus any more, as "
     "after a failed reset or resume.",
     "Power the machine off and on. Do not reset the function by hand: the NPU does not come back "
     "from it reliably.",
     "amd/xdna-driver pull 1101; 1bit-MONSTER issue 1920"},
};
Verdict check_alive(const Machine& m) {
    const Device& npu = *m.npu();
    if (!npu.config_known || npu.config.size() < 4) {
        return skip(npu.bdf.empty() ? kNotVisible : "configuration space not readable");
    }
    return le32(npu.config, 0) == UINT32_MAX
               ? bad("gone", "configuration space of " + npu.bdf + " reads ff ff ff ff")
               : pass("configuration space answers");
}

// --- pci.bars
// BARs that the driver maps: npu1_regs.c (0, 2, 4) and npu4_regs.c (0, 2, 4, 5; npu5 and npu6
// alike) of Linux 7.3, drivers/accel/amdxdna.
std::vector<unsigned> needed_bars(const Device& npu) {
    if (npu.generation == "npu1") {
        return {0, 2, 4};
    }
    const bool strix =
        npu.generation == "npu4" || npu.generation == "npu5" || npu.generation == "npu6";
    return strix ? std::vector<unsigned>{0, 2, 4, 5} : std::vector<unsigned>{};
}
constexpr Outcome kBars[] = {
    {"unassigned", Status::kFail, "The firmware setup gave the NPU no memory for a BAR it needs.",
     "Update the BIOS; try 'Above 4G decoding' and the boot option pci=realloc.", "inferred"},
    {"unmapped", Status::kFail, "The driver could not map a BAR.",
     "Update the BIOS; see the lines around this one in the kernel log.",
     "drivers/accel/amdxdna/aie2_pci.c"},
};
Verdict check_bars(const Machine& m) {
    const Device& npu = *m.npu();
    if (const LogMatch* match = logged(m, "pci.bars")) {
        return bad(match->outcome, match->line);
    }
    if (!npu.bars_known) {
        return skip(npu.bdf.empty() ? kNotVisible : "not recorded");
    }
    std::string seen;
    for (const Bar& bar : npu.bars) {
        seen +=
            (seen.empty() ? "BAR " : ", ") + std::to_string(bar.index) + ": " + size_text(bar.size);
    }
    for (const unsigned index : needed_bars(npu)) {
        const bool there = std::any_of(npu.bars.begin(), npu.bars.end(),
                                       [&](const Bar& bar) { return bar.index == index; });
        if (!there) {
            return bad("unassigned", "BAR " + std::to_string(index) + " has no memory; " +
                                         (seen.empty() ? "no BAR has" : seen));
        }
    }
    return pass(seen.empty() ? "none listed" : seen);
}

// --- iommu.enabled
constexpr Outcome kEnabled[] = {
    {"off", Status::kFail,
     "No IOMMU is active, or the NPU is in no IOMMU group; the driver needs it "
     "to reach a process's memory.",
     "Enable IOMMU (AMD-Vi) in the firmware setup; remove amd_iommu=off from the boot options.",
     "amd/xdna-driver issue 704; ROCm/FastFlowLM issue 403"},
    {"driver-refused", Status::kFail, "The driver found no IOMMU group for the NPU.",
     "Enable IOMMU (AMD-Vi) in the firmware setup; remove amd_iommu=off from the boot options.",
     "drivers/accel/amdxdna/aie2_pci.c"},
};
Verdict check_iommu(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.iommu_group) {
        return pass("group " + std::to_string(*npu.iommu_group) +
                    (m.host.iommus.empty() ? "" : ", " + printable(m.host.iommus.front())));
    }
    if (const LogMatch* match = logged(m, "iommu.enabled")) {
        return bad(match->outcome, match->line);
    }
    if (m.host.iommu == Known::kUnknown || npu.bdf.empty()) {
        return skip("not recorded");
    }
    return bad("off", m.host.iommu == Known::kNo ? "/sys/class/iommu is empty"
                                                 : npu.bdf + " has no iommu_group");
}

// --- iommu.type
constexpr Outcome kType[] = {
    {"invalid-pasid", Status::kFail,
     "The IOMMU rejects the NPU's requests: drivers before June 2026 mark them with an invalid "
     "PASID when the IOMMU is in passthrough.",
     "Use a driver with the fix (upstream 5b96159), or drop iommu=pt.",
     "amd/xdna-driver pull 1445; noamsto/nix-amd-ai issue 49"},
    {"page-fault", Status::kWarn, "The NPU touched memory that the IOMMU does not let it reach.",
     "If it repeats on every command, try another kernel (7.2-next had such a fault storm); "
     "else look for a buffer that was freed or never bound to the command.",
     "OpenGamingCollective/kernel-packages issue 39"},
    {"passthrough", Status::kWarn,
     "The IOMMU is in passthrough, which drivers before June 2026 do not handle.",
     "If opening or running fails: drop iommu=pt from the boot options.",
     "amd/xdna-driver pull 1445; noamsto/nix-amd-ai pull 53"},
};
Verdict check_type(const Machine& m) {
    const Device& npu = *m.npu();
    for (const LogMatch& match : m.log) {
        const bool ours = match.line.find("amdxdna") != std::string::npos ||
                          (!npu.bdf.empty() && match.line.find(npu.bdf) != std::string::npos);
        if (std::string(match.check) == "iommu.type" && ours) {
            return bad(match.outcome, match.line);
        }
    }
    if (npu.iommu_type.empty()) {
        return skip("not recorded");
    }
    const bool suspect = npu.iommu_type == "identity" && !m.npu_works();
    return suspect ? bad("passthrough", "iommu_group/type: identity")
                   : pass("type " + npu.iommu_type);
}

// --- iommu.pasid
constexpr Outcome kPasid[] = {
    {"missing", Status::kFail,
     "The function offers no PASID capability, so it cannot share a process's address space.",
     "Update the BIOS. In a virtual machine: the host's capability is not passed on.",
     "amd/xdna-driver issues 168, 299"},
    {"enable-failed", Status::kFail, "PASID could not be switched on: no IOMMU serves the NPU.",
     "On bare metal: enable IOMMU in the firmware setup. In a guest: it needs a virtual IOMMU, and "
     "newer drivers refuse guests anyway.",
     "amd/xdna-driver issues 168, 299"},
};
Verdict check_pasid(const Machine& m) {
    const Device& npu = *m.npu();
    if (const LogMatch* match = logged(m, "iommu.pasid")) {
        return bad(match->outcome, match->line);
    }
    const auto word = [](Known known) { return known == Known::kYes ? "yes" : "no"; };
    if (npu.pasid == Known::kUnknown) {
        return skip("needs the whole configuration space: run as root");
    }
    const std::string seen = std::string("PASID ") + word(npu.pasid) + ", ATS " + word(npu.ats) +
                             ", PRI " + word(npu.pri);
    return npu.pasid == Known::kNo ? bad("missing", seen) : pass(seen);
}

constexpr Check kChecks[] = {
    {"pci.present", "pci", "NPU on the PCI bus", "", kNeedsNothing, Role::kSymptom, check_present,
     kPresent},
    {"pci.known", "pci", "model", "", kNeedsNpu, Role::kCause, check_known, kKnownIds},
    {"pci.alive", "pci", "configuration space", "", kNeedsNpu, Role::kCause, check_alive, kAlive},
    {"pci.bars", "pci", "memory regions (BARs)", "pci.alive", kNeedsNpu, Role::kCause, check_bars,
     kBars},
    {"iommu.enabled", "iommu", "IOMMU", "", kNeedsNpu, Role::kCause, check_iommu, kEnabled},
    {"iommu.type", "iommu", "IOMMU mode", "iommu.enabled", kNeedsNpu, Role::kSymptom, check_type,
     kType},
    {"iommu.pasid", "iommu", "PASID, ATS, PRI", "pci.alive iommu.enabled", kNeedsNpu, Role::kCause,
     check_pasid, kPasid},
};

}  // namespace

std::span<const Check> pci_checks() {
    return kChecks;
}

}  // namespace xdna::probe
