#include "tools/xdna-probe/command/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/capture.hpp"
#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"
#include "tools/xdna-probe/report/report.hpp"
#include "tools/xdna-probe/report/watch.hpp"

namespace xdna::probe {
namespace {

struct Options {
    bool json = false;
    bool watch = false;
    bool validate = false;
    bool list_checks = false;
    bool verbose = false;
    int interval_ms = 1000;
    uint64_t count = 0;
    std::string root;
    std::string collect;
};

constexpr const char* kExamples =
    "Exit status: 0 healthy (--collect, --list-checks: written), 1 a problem was found and\n"
    "named, 2 no NPU, 3 wrong usage.\n\n"
    "Examples:\n"
    "  xdna-probe                          what is wrong with this machine's NPU\n"
    "  xdna-probe --validate               and run an empty command on it\n"
    "  xdna-probe --collect machine.tar    capture this machine for somebody else\n"
    "  xdna-probe --root machine.tar       look at a captured machine\n"
    "  xdna-probe --watch --interval 500   contexts and clocks, as they change\n";

void define(CLI::App& app, Options& o) {
    app.set_version_flag("--version", std::string("xdna-probe ") + XDNA_VERSION);
    app.footer(kExamples);
    app.add_flag("--json", o.json, "print one JSON object (docs/probe.md has its keys)");
    app.add_flag("-v,--verbose", o.verbose, "a line for every check, with what was seen");
    auto* watch =
        app.add_flag("--watch", o.watch, "show contexts, clocks and power again and again");
    app.add_option("--interval", o.interval_ms, "milliseconds between looks (100 to 3600000)")
        ->check(CLI::Range(100, 3'600'000))
        ->needs(watch);
    app.add_option("--count", o.count, "stop after N looks")
        ->check(CLI::PositiveNumber)
        ->needs(watch);
    auto* validate =
        app.add_flag("--validate", o.validate, "allocate, submit and measure on the NPU itself");
    auto* root = app.add_option("--root", o.root, "read a captured machine: a directory or a .tar");
    auto* collect = app.add_option("--collect", o.collect, "write this machine's facts to a .tar");
    auto* list = app.add_flag("--list-checks", o.list_checks, "print the table of checks");
    watch->excludes(validate)->excludes(collect)->excludes(list);
    root->excludes(validate)->excludes(collect)->excludes(watch);
    list->excludes(validate)->excludes(collect)->excludes(root);
}

std::string node_of(const Answers& answers, Files& files) {
    const Machine machine = gather(files, answers, false);
    const Device* npu = machine.npu();
    return npu == nullptr ? "" : npu->node;
}

int watch(const Options& options, Live& live, const Terminal& terminal, std::ostream& out,
          std::ostream& err) {
    const std::unique_ptr<Files> files = live.files();
    const Machine machine = gather(*files, live.ask(*files), false);
    const Device* npu = machine.npu();
    if (npu == nullptr || npu->answers.open_error != 0) {
        err << "xdna-probe: "
            << (npu == nullptr ? "no NPU to watch"
                : npu->node.empty()
                    ? "the NPU has no device node"
                    : npu->node + " cannot be opened: " + errno_text(npu->answers.open_error))
            << "; run xdna-probe without --watch for the reason\n";
        return npu == nullptr ? kNoNpu : kProblem;
    }
    NodeAnswers before;
    auto last = std::chrono::steady_clock::now();
    for (uint64_t frame = 0; options.count == 0 || frame < options.count; ++frame) {
        if (frame != 0 && !live.wait(std::chrono::milliseconds(options.interval_ms))) {
            break;
        }
        NodeAnswers now = live.sample(npu->node);
        const auto time = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(time - last).count();
        last = time;
        if (now.open_error != 0) {
            err << "xdna-probe: " << npu->node << ": " << errno_text(now.open_error) << "\n";
            return kProblem;
        }
        const NodeAnswers* previous = frame == 0 ? nullptr : &before;
        if (options.json) {
            out << dump(watch_json(previous, now, frame == 0 ? 0 : seconds, frame), -1) << "\n";
        } else {
            if (terminal.tty) {
                out << "\033[H\033[J" << npu->generation << " " << npu->node << ", every "
                    << options.interval_ms << " ms, Ctrl-C to stop\n\n";
            } else if (frame != 0) {
                out << "\n";
            }
            out << watch_text(previous, now, seconds);
        }
        out.flush();
        if (!out) {
            break;  // the reader has gone
        }
        before = std::move(now);
    }
    return kHealthy;
}

int collect(const Options& options, Live& live, std::ostream& out, std::ostream& err) {
    const std::unique_ptr<Files> files = live.files();
    Tree recorded;
    const std::unique_ptr<Files> recorder = recording_files(*files, recorded);
    const Answers answers = live.ask(*recorder);
    gather(*recorder, answers, false);
    const Tree tree = capture_tree(recorded, answers, live.home());
    std::string error;
    if (!live.write_file(options.collect, write_tar(tree), error)) {
        err << "xdna-probe: " << options.collect << ": " << error << "\n";
        return kUsage;
    }
    out << "Wrote " << options.collect << ": " << tree.size() << " files and folders as the checks "
        << "read them, numeric user and\ngroup ids, limits, kernel log lines about the NPU. No "
           "user "
        << "names, host name, serial\nnumbers or addresses; xdna-probe/README in it lists what is "
        << "kept of which file.\nRead it with: xdna-probe --root " << options.collect << "\n";
    return kHealthy;
}

int report(const Options& options, const Machine& machine, const Terminal& terminal,
           std::ostream& out) {
    const std::vector<CheckResult> results = evaluate(machine);
    if (options.json) {
        out << dump(json_report(machine, results), 2) << "\n";
    } else {
        text_report(machine, results, {terminal.colour, options.verbose}, out);
    }
    out.flush();
    return exit_code(machine, results);
}

}  // namespace

int run_command(const std::vector<std::string>& arguments, Live& live, const Terminal& terminal,
                std::ostream& out, std::ostream& err) {
    Options options;
    CLI::App app("Finds out what is wrong with this machine's AMD NPU, and what to do about it.",
                 "xdna-probe");
    define(app, options);
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(reversed);
    } catch (const CLI::Success& help) {
        app.exit(help, out, err);
        return kHealthy;
    } catch (const CLI::ParseError& wrong) {
        app.exit(wrong, out, err);
        return kUsage;
    }

    if (options.list_checks) {
        list_checks(options.json, out);
        return kHealthy;
    }
    if (!options.root.empty()) {
        Capture capture = open_capture(options.root);
        if (!capture.error.empty()) {
            err << "xdna-probe: " << capture.error << "\n";
            return kUsage;
        }
        return report(options, gather(*capture.files, std::move(capture.answers), true), terminal,
                      out);
    }
    if (options.watch) {
        return watch(options, live, terminal, out, err);
    }
    if (!options.collect.empty()) {
        return collect(options, live, out, err);
    }
    const std::unique_ptr<Files> files = live.files();
    Answers answers = live.ask(*files);
    if (options.validate) {
        const std::string node = node_of(answers, *files);
        const auto found = answers.nodes.find(node);
        if (found != answers.nodes.end() && found->second.open_error == 0) {
            live.validate(node, found->second);
        }
    }
    return report(options, gather(*files, std::move(answers), false), terminal, out);
}

}  // namespace xdna::probe
