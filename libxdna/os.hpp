// The only part of libxdna that enters the kernel. Results are 0 (or a count or descriptor) or a
// negative errno; errno itself stays in here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdna::os {

/// Opens a device node for reading and writing, close-on-exec.
int open_node(const char* path);
/// A close-on-exec duplicate of `fd`.
int duplicate(int fd);
void close(int fd);

/// One ioctl, restarted after signals. Not drmIoctl(): that one also restarts after EAGAIN, which
/// amdxdna answers for as long as a device heap is not mapped (amdxdna_gem.c).
int ioctl(int fd, unsigned long request, void* arg);

/// Maps `size` bytes at `offset` of `fd`, shared, readable and writable, at a multiple of
/// `alignment` (a power of two, at least a page).
int map(int fd, uint64_t offset, size_t size, size_t alignment, void** out);
void unmap(void* memory, size_t size);

/// Reads a small file, at most `capacity` bytes. Returns how many.
int read_file(const char* path, char* buffer, size_t capacity);
/// The target of a symbolic link.
int read_link(const char* path, std::string& out);
/// Names in a folder, sorted, without "." and "..".
int list_folder(const char* path, std::vector<std::string>& out);
/// The device number of a character device: by descriptor, or by path.
int device_number(int fd, uint64_t& out);
int device_number(const char* path, uint64_t& out);
/// Size of what `fd` stands for, by seeking to its end (dma-bufs have no other way to say).
int64_t seek_size(int fd);

int64_t monotonic_ns();
size_t page_size();

}  // namespace xdna::os
