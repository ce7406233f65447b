#include <algorithm>

#include "tools/xdna-probe/machine/loader_cache.hpp"
#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr size_t kCacheFile = 16 * 1024 * 1024;
constexpr const char* kCore = "libxrt_core.so.";
constexpr const char* kPlugin = "libxrt_driver_xdna.so.";
constexpr const char* kSystemFolders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib",
                                          "/lib/x86_64-linux-gnu", "/usr/local/lib"};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

// The file of the longest version in a folder ("libxrt_core.so.2.25.0" rather than "...so.2").
std::string newest(Files& files, const std::string& folder, const char* name) {
    const std::vector<std::string> names = files.list(folder, name).value;
    const auto longest =
        std::max_element(names.begin(), names.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    return longest == names.end() ? "" : folder + "/" + *longest;
}

void add_xrt(Files& files, const std::string& folder, const char* found_by, Userspace& out) {
    const std::string core = newest(files, folder, kCore);
    const bool known = std::any_of(out.xrt.begin(), out.xrt.end(),
                                   [&](const XrtInstall& xrt) { return xrt.core == core; });
    if (core.empty() || known) {
        return;
    }
    XrtInstall install;
    install.core = printable(core, 200);
    install.version = core.substr(core.rfind(".so.") + 4);
    install.found_by = found_by;
    // XRT takes plug-ins of its own major version, from where it itself lies.
    const std::string major = install.version.substr(0, install.version.find('.'));
    install.plugin = newest(files, folder, (kPlugin + major).c_str());
    out.xrt.push_back(std::move(install));
}

void gather_xrt(Files& files, const Answers& answers, Userspace& out) {
    const auto variable = [&](const char* name) {
        const auto found = answers.environment.find(name);
        return found == answers.environment.end() ? "" : found->second;
    };
    for (const std::string& folder : split(variable("LD_LIBRARY_PATH"), ':')) {
        if (folder.starts_with('/')) {
            add_xrt(files, folder, "LD_LIBRARY_PATH", out);
        }
    }
    if (const std::string xrt = variable("XILINX_XRT"); xrt.starts_with('/')) {
        add_xrt(files, xrt + "/lib", "XILINX_XRT", out);
    }
    for (const LoaderEntry& entry :
         loader_cache(files.read("/etc/ld.so.cache", kCacheFile).value)) {
        if (entry.name.starts_with(kCore)) {
            add_xrt(files, entry.path.substr(0, entry.path.rfind('/')), "loader cache", out);
        }
    }
    add_xrt(files, "/opt/xilinx/xrt/lib", "/opt/xilinx/xrt", out);
    for (const char* folder : kSystemFolders) {
        add_xrt(files, folder, "system folder", out);
        const std::string plugin = newest(files, folder, kPlugin);
        const bool beside_core = !newest(files, folder, kCore).empty();
        if (!plugin.empty() && !beside_core) {
            out.stray_plugins.push_back(printable(plugin, 200));
        }
    }
}

void gather_python(Files& files, Userspace& out) {
    // /usr/bin/python3 -> python3.11
    const std::string target = base_name(files.read_link("/usr/bin/python3").value);
    out.python = target.starts_with("python3.") ? printable(target.substr(6), 12) : "";
    std::vector<std::string> folders = {"/usr/lib/python3/dist-packages", "/opt/xilinx/xrt/python"};
    if (!out.python.empty()) {
        for (const char* prefix :
             {"/usr/lib/python", "/usr/lib64/python", "/usr/local/lib/python"}) {
            folders.push_back(prefix + out.python + "/site-packages");
            folders.push_back(prefix + out.python + "/dist-packages");
        }
    }
    for (const std::string& folder : folders) {
        for (const std::string& name : files.list(folder, "pyxrt").value) {
            if (name.find(".so") != std::string::npos) {
                out.pyxrt.push_back(folder + "/" + printable(name, 100));
            }
        }
    }
}

void gather_gpu(Files& files, Userspace& out) {
    for (const char* folder :
         {"/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"}) {
        for (const std::string& name : files.list(folder, "").value) {
            if (name.ends_with(".json")) {
                out.vulkan_drivers.push_back(std::string(folder) + "/" + printable(name, 80));
            }
        }
    }
    for (const std::string& name : files.list("/sys/class/drm", "renderD").value) {
        const std::string device = "/sys/class/drm/" + name + "/device";
        const auto hex = [&](const char* file) {
            const std::string line = read_line(files, device + "/" + file);
            return line.starts_with("0x") ? printable(line.substr(2), 8) : "?";
        };
        out.gpus.push_back(printable(name, 20) + " " +
                           printable(base_name(files.read_link(device + "/driver").value), 20) +
                           " " + hex("vendor") + ":" + hex("device"));
    }
}

}  // namespace

Userspace gather_userspace(Files& files, const Answers& answers, const std::string& generation) {
    Userspace out;
    gather_xrt(files, answers, out);
    gather_python(files, out);
    gather_gpu(files, out);
    // Names of the test archives: Xilinx/XRT, src/runtime_src/core/tools/xbutil2 (lab.md 14.1).
    const char* archive = generation == "npu1" ? "xrt_smi_phx.a" : "xrt_smi_strx.a";
    for (const char* folder : {"/usr/share/xrt/amdxdna/bins", "/usr/lib/xrt/amdxdna/bins",
                               "/opt/xilinx/xrt/share/amdxdna/bins"}) {
        for (const std::string& name : files.list(folder, archive).value) {
            out.validate_archive = std::string(folder) + "/" + name;
        }
    }
    for (const char* path : {"/usr/bin/flm", "/usr/local/bin/flm", "/opt/fastflowlm/bin/flm"}) {
        if (files.stat(path)) {
            out.xdna2_programs.emplace_back(path);
        }
    }
    return out;
}

}  // namespace xdna::probe
