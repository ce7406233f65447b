#include <algorithm>

#include "tools/xdna-probe/machine/machine.hpp"

namespace xdna::probe {

const Device* Machine::npu() const {
    const auto with_node = std::find_if(devices.begin(), devices.end(),
                                        [](const Device& device) { return !device.node.empty(); });
    if (with_node != devices.end()) {
        return &*with_node;
    }
    return devices.empty() ? nullptr : &devices.front();
}

Machine gather(Files& files, Answers answers, bool captured) {
    Machine machine;
    machine.captured = captured;
    machine.host = gather_host(files, answers);
    machine.module = gather_module(files, answers);
    machine.pci_visible = bool(files.list("/sys/bus/pci/devices", ""));
    machine.devices = gather_devices(files, answers);
    const Device* npu = machine.npu();
    machine.userspace = gather_userspace(files, answers, npu == nullptr ? "" : npu->generation);
    machine.log = match_log(answers.log_lines);
    machine.answers = std::move(answers);
    return machine;
}

}  // namespace xdna::probe
