#include <algorithm>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kNoXrt = "XRT is not installed; libxdna does not need it";

std::string describe(const XrtInstall& xrt) {
    return xrt.core + " (by " + xrt.found_by + "), plug-in " +
           (xrt.plugin.empty() ? "none" : xrt.plugin);
}

// --- xrt.plugin
constexpr Outcome kPlugin[] = {
    {"missing", Status::kFail,
     "XRT is installed without its plug-in for the NPU: its programs find 0 devices although the "
     "kernel side is fine.",
     "Install the plug-in of the same release (libxrt-npu2, xrt_plugin-amdxdna, "
     "xrt-plugin-amdxdna).",
     "FastFlowLM issue 416; amd/xdna-driver issues 14, 50"},
    {"elsewhere", Status::kFail,
     "A plug-in is installed, but not beside the XRT that the loader picks, or for another major "
     "version of it.",
     "Use one XRT with its own plug-in; take the other out of LD_LIBRARY_PATH or uninstall it.",
     "noamsto/nix-amd-ai issue 148; Xilinx/mlir-aie issue 1618"},
};
Verdict check_plugin(const Machine& m) {
    const auto& xrt = m.userspace.xrt;
    if (xrt.empty()) {
        return skip(kNoXrt);
    }
    if (!xrt.front().plugin.empty()) {
        return pass(describe(xrt.front()));
    }
    const auto other = std::find_if(xrt.begin(), xrt.end(),
                                    [](const XrtInstall& each) { return !each.plugin.empty(); });
    if (other != xrt.end()) {
        return bad("elsewhere", describe(xrt.front()) + "; plug-in found: " + other->plugin);
    }
    if (!m.userspace.stray_plugins.empty()) {
        return bad("elsewhere",
                   describe(xrt.front()) + "; plug-in found: " + m.userspace.stray_plugins.front());
    }
    return bad("missing", describe(xrt.front()));
}

// --- xrt.single
constexpr Outcome kSingle[] = {
    {"several", Status::kWarn,
     "More than one XRT is installed; which one a program gets depends on "
     "its environment.",
     "Keep one, or set LD_LIBRARY_PATH to the one that is meant, for every program.",
     "noamsto/nix-amd-ai issue 148"},
};
Verdict check_single(const Machine& m) {
    const auto& xrt = m.userspace.xrt;
    if (xrt.empty()) {
        return skip(kNoXrt);
    }
    // One installation may be reached through /lib and /usr/lib.
    std::vector<std::string> versions;
    std::string seen;
    for (const XrtInstall& each : xrt) {
        if (std::count(versions.begin(), versions.end(), each.version) == 0) {
            versions.push_back(each.version);
        }
        seen += (seen.empty() ? "" : "; ") + each.core + " (by " + each.found_by + ")";
    }
    return versions.size() > 1 ? bad("several", seen) : pass(xrt.front().version);
}

// --- xrt.archive
constexpr Outcome kArchive[] = {
    {"missing", Status::kWarn,
     "The archive with XRT's own test kernels is not installed (for XDNA 1 many packages have "
     "none): "
     "xrt-smi validate stops or marks its tests SKIPPED.",
     "Read that as 'not tested', never as 'passed'. xdna-probe --validate needs no archive.",
     "Xilinx/XRT pulls 8318, 9388, issue 8237"},
};
Verdict check_archive(const Machine& m) {
    if (m.userspace.xrt.empty()) {
        return skip(kNoXrt);
    }
    return m.userspace.validate_archive.empty()
               ? bad("missing", m.npu()->xdna2() ? "no xrt_smi_strx.a" : "no xrt_smi_phx.a")
               : pass(m.userspace.validate_archive);
}

// --- python.binding
constexpr Outcome kPython[] = {
    {"other-version", Status::kWarn,
     "pyxrt is built for another Python than /usr/bin/python3: importing it fails with 'No module "
     "named pyxrt' or an ImportError.",
     "Use the Python that it was built for (in a virtual environment), or a pyxrt for yours.",
     "amd/xdna-driver issue 423; amd/Triton-XDNA issue 77"},
};
Verdict check_python(const Machine& m) {
    const auto& bindings = m.userspace.pyxrt;
    if (bindings.empty() || m.userspace.python.empty()) {
        return skip(bindings.empty() ? "pyxrt is not installed" : "no /usr/bin/python3");
    }
    // pyxrt.cpython-313-x86_64-linux-gnu.so belongs to Python 3.13; pyxrt.so to whatever built it.
    std::string tag = "cpython-" + m.userspace.python + "-";
    tag.erase(std::remove(tag.begin(), tag.end(), '.'), tag.end());
    const bool fits = std::any_of(bindings.begin(), bindings.end(), [&](const std::string& path) {
        return path.find(tag) != std::string::npos || path.find("cpython") == std::string::npos;
    });
    return fits ? pass("for Python " + m.userspace.python)
                : bad("other-version", bindings.front() + "; python3 is " + m.userspace.python);
}

// --- apps.generation
constexpr Outcome kApps[] = {
    {"needs-xdna2", Status::kWarn,
     "This NPU is XDNA 1, and an installed program has kernels for XDNA 2 only: it says that it "
     "requires an XDNA 2 NPU.",
     "Nothing is broken. Use programs with XDNA 1 kernels; libxdna's own run on it.",
     "lemonade-sdk/lemonade issues 3150, 3492; FastFlowLM issue 567"},
};
Verdict check_apps(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.generation == "npu1" && !m.userspace.xdna2_programs.empty()) {
        return bad("needs-xdna2", m.userspace.xdna2_programs.front() + " on npu1");
    }
    return npu.generation == "unknown" ? skip("the NPU's model is not visible")
                                       : pass(npu.xdna2() ? "XDNA 2" : "XDNA 1");
}

// --- vulkan.driver
constexpr Outcome kVulkan[] = {
    {"no-driver", Status::kWarn, "There is a GPU, but no Vulkan driver is registered for it.",
     "Install mesa-vulkan-drivers (RADV); only the GPU side of libxdna needs it.",
     "Vulkan-Loader, docs/LoaderDriverInterface.md"},
};
Verdict check_vulkan(const Machine& m) {
    const Userspace& user = m.userspace;
    if (user.gpus.empty()) {
        return skip("no render node of a GPU");
    }
    return user.vulkan_drivers.empty()
               ? bad("no-driver", user.gpus.front() + "; no manifest in vulkan/icd.d")
               : pass(user.gpus.front() + "; " + std::to_string(user.vulkan_drivers.size()) +
                      " Vulkan drivers");
}

constexpr Check kChecks[] = {
    {"xrt.plugin", "userspace", "XRT's plug-in", "", kNeedsNpu, Role::kSymptom, check_plugin,
     kPlugin},
    {"xrt.single", "userspace", "one XRT only", "", kNeedsNpu, Role::kSymptom, check_single,
     kSingle},
    {"xrt.archive", "userspace", "XRT's test archive", "", kNeedsNpu, Role::kSymptom, check_archive,
     kArchive},
    {"python.binding", "userspace", "Python binding", "", kNeedsNpu, Role::kSymptom, check_python,
     kPython},
    {"apps.generation", "userspace", "NPU generation", "", kNeedsNpu, Role::kSymptom, check_apps,
     kApps},
    {"vulkan.driver", "userspace", "Vulkan", "", kNeedsNothing, Role::kSymptom, check_vulkan,
     kVulkan},
};

}  // namespace

std::span<const Check> userspace_checks() {
    return kChecks;
}

}  // namespace xdna::probe
