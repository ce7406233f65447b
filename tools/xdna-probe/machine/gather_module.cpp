#include <algorithm>

#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr size_t kSmallFile = 64 * 1024;
constexpr size_t kIndexFile = 16 * 1024 * 1024;
constexpr size_t kModuleFile = 64 * 1024 * 1024;

ModuleFile gather_file(Files& files, const std::string& tree, const std::string& relative) {
    ModuleFile file;
    file.path = relative.starts_with('/') ? relative : tree + "/" + relative;
    file.in_tree = relative.starts_with("kernel/");
    file.compressed = !relative.ends_with(".ko");
    if (file.compressed) {
        const Result<std::string> real = resolve(files, file.path);
        file.readable = bool(real);
        return file;
    }
    const Result<std::string> content = files.read(file.path, kModuleFile);
    file.readable = bool(content);
    for (const std::string& line : split_lines(content.value)) {
        const size_t equals = line.find('=');
        const std::string key = line.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : line.substr(equals + 1);
        if (key == "version") {
            file.version = printable(value, 80);
        } else if (key == "srcversion") {
            file.srcversion = printable(value, 80);
        } else if (key == "vermagic") {
            file.vermagic = printable(value, 120);
        } else if (key == "signed") {
            file.is_signed = value == "yes";
        }
    }
    return file;
}

// depmod's default order, "updates" before what came with the kernel (depmod.d(5)).
int search_rank(const ModuleFile& file) {
    return file.path.find("/updates/") != std::string::npos ? 0
           : file.path.find("/extra/") != std::string::npos ? 1
           : file.in_tree                                   ? 2
                                                            : 1;
}

std::vector<DkmsBuild> gather_dkms(Files& files, const std::string& release) {
    std::vector<DkmsBuild> builds;
    for (const std::string& package : files.list("/var/lib/dkms", "").value) {
        if (package.find("amdxdna") == std::string::npos) {
            continue;
        }
        const std::string folder = "/var/lib/dkms/" + package;
        for (const std::string& version : files.list(folder, "").value) {
            if (version.starts_with("kernel-") || version == "original_module") {
                continue;
            }
            DkmsBuild build;
            build.version = package + "/" + version;
            build.built = bool(files.stat(folder + "/" + version + "/" + release));
            const Result<std::string> log =
                files.read(folder + "/" + version + "/build/make.log", kIndexFile);
            const std::vector<std::string> errors = split_lines(log.value);
            const auto error = std::find_if(errors.begin(), errors.end(), [](const auto& line) {
                return line.find("error:") != std::string::npos;
            });
            if (error != errors.end()) {
                build.error = printable(*error, 200);
            }
            builds.push_back(std::move(build));
        }
    }
    return builds;
}

}  // namespace

Module gather_module(Files& files, const Answers& answers) {
    Module module;
    const Result<FileStat> live = files.stat("/sys/module/amdxdna");
    if (live) {
        module.loaded = Known::kYes;
    } else if (files.stat("/sys/module") || files.read("/proc/modules", kSmallFile)) {
        module.loaded = Known::kNo;
    }
    module.version = printable(read_line(files, "/sys/module/amdxdna/version"), 80);
    module.srcversion = printable(read_line(files, "/sys/module/amdxdna/srcversion"), 80);
    module.taint = printable(read_line(files, "/sys/module/amdxdna/taint"), 20);
    for (const std::string& name : files.list("/sys/module/amdxdna/parameters", "").value) {
        module.parameters[name] =
            printable(read_line(files, "/sys/module/amdxdna/parameters/" + name), 40);
    }

    for (const char* folder : {"/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d"}) {
        for (const std::string& name : files.list(folder, "").value) {
            const std::string path = std::string(folder) + "/" + name;
            for (const std::string& line : split_lines(files.read(path, kSmallFile).value)) {
                const std::vector<std::string> words = split_words(line);
                const bool blocked =
                    words.size() >= 2 && words[1] == "amdxdna" &&
                    (words[0] == "blacklist" ||
                     (words[0] == "install" && line.find("/bin/") != std::string::npos));
                if (blocked) {
                    module.blacklisted_by.push_back(path + ": " + printable(line, 120));
                }
            }
        }
    }

    if (answers.release.empty()) {
        return module;
    }
    const std::string tree = "/lib/modules/" + answers.release;
    const Result<std::string> index = files.read(tree + "/modules.dep", kIndexFile);
    const Result<std::string> builtin = files.read(tree + "/modules.builtin", kIndexFile);
    module.files_known = index || builtin;
    module.builtin = builtin.value.find("/amdxdna.ko") != std::string::npos;
    std::vector<std::string> paths;
    for (const std::string& line : split_lines(index.value)) {
        const std::string path = line.substr(0, line.find(':'));
        if (path.find("/amdxdna.ko") != std::string::npos) {
            paths.push_back(path);
        }
    }
    // depmod lists only the module that modprobe would take; others lie beside it.
    for (const char* folder :
         {"updates/dkms", "updates", "extra", "weak-updates", "kernel/drivers/accel/amdxdna"}) {
        for (const std::string& name : files.list(tree + "/" + folder, "amdxdna.ko").value) {
            const std::string path = std::string(folder) + "/" + name;
            if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
                paths.push_back(path);
            }
        }
    }
    for (const std::string& path : paths) {
        module.files.push_back(gather_file(files, tree, path));
    }
    std::stable_sort(
        module.files.begin(), module.files.end(),
        [](const ModuleFile& a, const ModuleFile& b) { return search_rank(a) < search_rank(b); });
    module.dkms = gather_dkms(files, answers.release);
    return module;
}

}  // namespace xdna::probe
