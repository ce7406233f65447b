// xdna-image: looks into xclbin, PDI and control-code files, takes them apart, and makes xclbins.

#include <CLI/CLI.hpp>
#include <iostream>

#include "libxdna/image/error.hpp"
#include "tools/xdna-image/commands.hpp"

namespace {

constexpr int kProblem = 1;
constexpr int kUsage = 3;

}  // namespace

int main(int argc, char** argv) {
    using namespace xdna::tools;

    CLI::App app("Reads, takes apart, makes and checks the files that NPU kernels come in.",
                 "xdna-image");
    app.set_version_flag("--version", XDNA_VERSION);
    app.require_subcommand(1);

    std::string file;
    std::string as;
    std::string folder;
    bool force = false;
    PackOptions options;
    const auto takes_file = [&](CLI::App* verb) {
        verb->add_option("FILE", file, "the file, or - for standard input")->required();
        verb->add_option("--as", as, "what the file is, where its bytes do not tell")
            ->check(CLI::IsMember(kind_names()));
    };

    CLI::App* dump_verb = app.add_subcommand("dump", "print a file's content");
    takes_file(dump_verb);

    CLI::App* unpack_verb = app.add_subcommand("unpack", "write a file's parts into a folder");
    takes_file(unpack_verb);
    unpack_verb->add_option("-o,--output", folder, "the folder")->required();
    unpack_verb->add_flag("--force", force, "replace files");

    CLI::App* pack_verb = app.add_subcommand("pack", "make an xclbin of a PDI or a recipe");
    pack_verb->add_option("FILE", options.input, "a PDI, or a recipe.json as unpack writes it")
        ->required();
    pack_verb->add_option("-o,--output", options.output, "the xclbin")->required();
    pack_verb->add_flag("--force", options.force, "replace the xclbin");
    pack_verb->add_option("--columns", options.columns, "columns that the PDI configures")
        ->check(CLI::Range(1, 5));
    pack_verb->add_option("--buffers", options.buffers, "buffer arguments of the kernel")
        ->check(CLI::Range(0, 32));
    pack_verb->add_option("--kernel", options.kernel, "the kernel's name");
    pack_verb->add_option("--instance", options.instance, "its instance's name");
    pack_verb->add_option("--kernel-id", options.kernel_id, "the id that ties it to the PDI")
        ->check(CLI::Range(0, 0xFFF));
    pack_verb->add_option("--time-stamp", options.time_stamp, "seconds since 1970");

    CLI::App* verify_verb = app.add_subcommand("verify", "check a file; exit 1 where it is wrong");
    takes_file(verify_verb);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : kUsage;
    }
    try {
        if (*pack_verb) {
            pack(std::cout, options);
            return 0;
        }
        const xdna::image::Bytes bytes = read_file(file);
        const Kind kind = recognise(bytes, as);
        if (*dump_verb) {
            dump(std::cout, bytes, kind);
        } else if (*unpack_verb) {
            unpack(std::cout, bytes, kind, folder, force);
        } else if (!verify(std::cout, bytes, kind)) {
            return kProblem;
        }
        std::cout.flush();
        return std::cout ? 0 : kProblem;
    } catch (const xdna::image::FormatError& e) {
        std::cerr << "xdna-image: " << (file.empty() ? options.input : file) << ": " << e.what()
                  << '\n';
    } catch (const std::exception& e) {
        std::cerr << "xdna-image: " << e.what() << '\n';
    }
    return kProblem;
}
