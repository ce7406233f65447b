// The device node and its open files.
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace xdna::emu::door {

/// True if `fd` is an open device file; `file` then says which. errno stays as it was.
bool is_device(int fd, uint64_t& file);

/// open() of the node: a descriptor, or a negative errno.
long open_device(int flags);

/// ioctl() of an open device file: 0 or more, or a negative errno.
long ioctl_device(uint64_t file, unsigned long request, unsigned long argument);

/// True if `fd` is a dma-buf that the driver exported. errno stays as it was.
bool is_dma_buf(int fd);
/// ioctl() of one: 0 or a negative errno.
long ioctl_dma_buf(unsigned long request, unsigned long argument);

/// What a file of procfs that tells of an open device file (/proc/PID/fdinfo/FD) should say: when
/// `fd`, just opened by the name `path`, is one, it is made to lead to that text as of now.
void correct_fdinfo(int fd, const char* path);

/// What stat() of the node says.
void describe_node(struct stat& status);
void describe_node(struct statx& status);

/// True if what `status` says of a descriptor is true of the node: it is an open device file, or
/// was opened with O_PATH.
bool describes_node(int fd, const struct stat& status);

}  // namespace xdna::emu::door
