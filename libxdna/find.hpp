// Finds NPUs through sysfs: libdrm 2.4.114 does not list accel nodes.
#pragma once

#include <string>
#include <vector>

#include "xdna/xdna.h"

namespace xdna {

/// The NPUs below `root` ("" for this machine, else a captured tree) in the order of their PCI
/// addresses. Returns 0 or a negative errno, with the failure's message set.
int find_devices(const std::string& root, std::vector<xdna_device_info>& out);

}  // namespace xdna
