// The CPU allocator: counts live bytes and refuses what the machine does not have, since Linux would kill the process.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace emend {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// The first number of a file such as memory.max; "max", a missing file or nonsense is no limit.
inline uint64_t number_in(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : kUnlimited;
}

// A field of /proc/meminfo, /proc/self/status or memory.stat in its own unit.
inline uint64_t field_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (word == key || word == key + ":") {
      uint64_t value = 0;
      return file >> value ? value : 0;
    }
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

inline uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// What this group still may take: its limit, less what it holds, plus page cache that can go.
inline uint64_t group_room(const std::string& folder, const char* limit, const char* usage, const char* cache) {
  const uint64_t max = number_in(folder + limit);
  if (max >= kUnlimited / 2) return kUnlimited;
  const uint64_t used = number_in(folder + usage);
  if (used == kUnlimited) return kUnlimited;
  const uint64_t reclaimable = field_in(folder + "/memory.stat", cache);
  const uint64_t held = used > reclaimable ? used - reclaimable : 0;
  return max > held ? max - held : 0;
}

// Bytes that the process may still take from the machine and from every cgroup (v1 or v2) above it.
inline uint64_t available_bytes() {
  const uint64_t machine = field_in("/proc/meminfo", "MemAvailable") * 1024;
  uint64_t room = machine ? machine : kUnlimited;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",memory,") == std::string::npos) continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (;;) {  // the group itself, then its parents up to the root of what this container sees
      const std::string folder = root + (path == "/" ? "" : path);
      room = std::min(room, v2 ? group_room(folder, "/memory.max", "/memory.current", "inactive_file")
                               : group_room(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"));
      if (path.empty() || path == "/") break;
      path.resize(path.rfind('/'));
    }
  }
  return room;
}

inline std::string gigabytes(uint64_t bytes) {
  std::ostringstream out;
  out.precision(3);
  out << static_cast<double>(bytes) / 1e9 << " GB";
  return out.str();
}

class CountingAllocator final : public c10::Allocator {
 public:
  static CountingAllocator& get() {
    static auto* allocator = new CountingAllocator();  // lives as long as the process: tensors free through it at exit
    return *allocator;
  }

  c10::DataPtr allocate(size_t n) override {
    if (n == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    if (n >= kSmall) refuse_beyond_limit(n);
    void* data = nullptr;
    if (posix_memalign(&data, 64, n) != 0) refuse(n, limit());
    live_.fetch_add(malloc_usable_size(data), std::memory_order_relaxed);
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t n) const override { std::memcpy(to, from, n); }

  uint64_t live() const { return live_.load(std::memory_order_relaxed); }

  // Bytes that tensors may hold at most: what was set, or what machine and cgroups leave to this process.
  uint64_t limit() {
    const uint64_t chosen = chosen_.load(std::memory_order_relaxed);
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    if (now - read_at_.load(std::memory_order_relaxed) > 50'000'000) {
      read_at_.store(now, std::memory_order_relaxed);
      const uint64_t resident = resident_bytes();
      // Pages that tensors asked for but have not touched are not resident yet, so `base_` stands for the rest.
      const uint64_t own = std::max(resident, base_);
      const uint64_t room = available_bytes();
      const uint64_t total = room > kUnlimited - own ? kUnlimited : room + own;
      const uint64_t reserve = std::min<uint64_t>(total / 32, 512ULL << 20);  // for Node itself and the kernel
      const uint64_t others = std::max(base_, resident > live() ? resident - live() : 0);
      found_.store(total > others + reserve ? total - others - reserve : 0, std::memory_order_relaxed);
    }
    return std::min(chosen, found_.load(std::memory_order_relaxed));
  }

  void set_limit(uint64_t bytes) { chosen_.store(bytes, std::memory_order_relaxed); }

 private:
  CountingAllocator() : base_(resident_bytes()) {}

  static void release(void* data) {
    if (!data) return;
    get().live_.fetch_sub(malloc_usable_size(data), std::memory_order_relaxed);
    std::free(data);
  }

  void refuse_beyond_limit(size_t n) {
    const uint64_t most = limit();
    const uint64_t held = live();
    if (n > most || held > most - n) refuse(n, most);
  }

  [[noreturn]] void refuse(size_t n, uint64_t most) {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory: ", gigabytes(n), " asked, ", gigabytes(live()),
                     " held by tensors, limit ", gigabytes(most),
                     "; free tensors with scope() or dispose(), or make them smaller");
  }

  static constexpr size_t kSmall = 1 << 16;
  const uint64_t base_;
  std::atomic<uint64_t> live_{0};
  std::atomic<uint64_t> chosen_{kUnlimited};
  std::atomic<uint64_t> found_{kUnlimited};
  std::atomic<int64_t> read_at_{-1'000'000'000};
};

}  // namespace emend
