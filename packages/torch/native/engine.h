// One environment's state (a process's main thread or a worker): tensor handles, interned strings, operators, the words.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace emend {

// A mistake of the caller; becomes a JavaScript TypeError.
struct Misuse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr double kMaxSafe = 9007199254740991.0;  // 2^53 - 1, the largest integer that JavaScript holds exactly

inline int64_t to_int(double value, const char* what) {
  if (!(std::fabs(value) <= kMaxSafe) || value != std::trunc(value)) {
    throw Misuse(std::string(what) + ": " + std::to_string(value) + " is not a safe integer");
  }
  return static_cast<int64_t>(value);
}

// The dtypes that JavaScript may name; everything else (quantized, bit and sub-byte types) stays outside.
inline c10::ScalarType to_dtype(double value) {
  const int64_t code = to_int(value, "dtype");
  const bool known = (code >= 0 && code <= 7) || (code >= 9 && code <= 11) || code == 15;
  if (!known) throw Misuse("no such dtype: " + std::to_string(code));
  return static_cast<c10::ScalarType>(code);
}

// Tensors by {slot, generation}: a handle that was freed, or never made here, is an exact error and never a wild pointer.
class Handles {
 public:
  double put(at::Tensor tensor) {
    uint32_t slot;
    if (free_.empty()) {
      if (slots_.size() >= kSlots) throw std::runtime_error("more than 67,108,863 live tensors");
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].tensor = std::move(tensor);
    ++live_;
    return static_cast<double>(slots_[slot].generation) * kSlots + slot;
  }

  // Null when the handle is not a live tensor's.
  const at::Tensor* find(double handle) const {
    if (!(handle >= kSlots && handle <= kMaxSafe)) return nullptr;
    const auto word = static_cast<uint64_t>(handle);
    const uint64_t slot = word % kSlots;
    if (slot >= slots_.size()) return nullptr;
    const Slot& found = slots_[slot];
    return found.generation == word / kSlots && found.tensor.defined() ? &found.tensor : nullptr;
  }

  const at::Tensor& get(double handle, const char* what) const {
    const at::Tensor* tensor = find(handle);
    if (!tensor) throw Misuse(std::string("tensor used after it was freed (") + what + ")");
    return *tensor;
  }

  void free(double handle) {
    if (!find(handle)) return;
    const auto slot = static_cast<uint32_t>(static_cast<uint64_t>(handle) % kSlots);
    slots_[slot].tensor.reset();
    --live_;
    if (++slots_[slot].generation < kGenerations) free_.push_back(slot);
  }

  size_t live() const { return live_; }

 private:
  static constexpr uint64_t kSlots = 1ULL << 26;
  static constexpr uint32_t kGenerations = 1U << 27;
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

enum class Kind : uint8_t {
  Tensor, Tensors, OptionalTensors, Int, Ints, Double, Doubles, Bool, Bools, Scalar, Scalars, OptionalScalars, String, DType,
  MemoryFormat, Device, Unsupported
};

struct Argument {
  Kind kind;
  bool optional;
  int32_t length;  // of a list whose schema fixes it (int[2]), else 0: then one number stands for all
  const c10::IValue* fallback;
  std::string name;
};

struct Operator {
  c10::OperatorHandle handle;
  std::string name;   // "aten::add.Tensor"
  std::string label;  // "torch.add", for messages
  std::vector<Argument> arguments;
  std::vector<int> same;  // per result: the argument that an in-place operator gives back, or -1
};

struct Engine {
  napi_env env = nullptr;
  napi_ref buffer = nullptr;
  double* words = nullptr;
  size_t capacity = 0;

  Handles handles;
  std::vector<Operator> operators;
  std::unordered_map<std::string, int> operator_ids;
  std::vector<std::string> strings;
  std::vector<std::unique_ptr<c10::InferenceMode>> inference;
  torch::jit::Stack stack;
  const Operator* running = nullptr;
};

}  // namespace emend
