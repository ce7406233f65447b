// The running machine: system calls, and libxdna for the NPU.
#pragma once

#include <memory>

#include "tools/xdna-probe/command/command.hpp"

namespace xdna::probe {

std::unique_ptr<Live> make_live();

// Its parts, one file each.
Process this_process();
/// The kernel log, as far as this process may read it; only lines that concern the NPU.
LogState read_kernel_log(std::vector<std::string>& lines);
/// Opens the node and asks everything that can be asked without changing anything.
NodeAnswers ask_node(const std::string& node);
/// The part of it that --watch shows.
NodeAnswers sample_node(const std::string& node);
/// --validate.
void validate_node(const std::string& node, NodeAnswers& answers);

}  // namespace xdna::probe
