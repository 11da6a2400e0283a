// What memory this process may still take, and giving back what it does not use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace edgekit {

struct Room {
    std::optional<int64_t> free;   // bytes that the system can give without killing or swapping
    std::optional<int64_t> limit;  // bytes that this process may still take: its cgroup's or job's, or as iOS says
};

Room room(const std::filesystem::path& root = "/");  // another folder plays another machine in tests
// What the allocator keeps of the bytes that were freed, in the heap of the calling thread and those of others.
void give_back_memory(int64_t freed);

}  // namespace edgekit
