// Tensors from and to JavaScript: typed arrays, memory-mapped files, metadata, gradients.
#pragma once

#include "dispatch.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <torch/csrc/autograd/autograd.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace emend {

// words: → dtype, device type, device index, rank, sizes…
inline void describe_tensor(Engine& engine, const at::Tensor& t) {
  const auto sizes = t.sizes();
  if (sizes.size() + 4 > engine.capacity) throw std::runtime_error("a tensor of too many dimensions");
  double* out = engine.words;
  *out++ = static_cast<double>(static_cast<int>(t.scalar_type()));
  *out++ = static_cast<double>(static_cast<int>(t.device().type()));
  *out++ = t.device().index();
  *out++ = static_cast<double>(sizes.size());
  for (const int64_t size : sizes) *out++ = static_cast<double>(size);
}

// A dense copy in main memory, with lazy conjugation and negation carried out.
inline at::Tensor dense_on_cpu(const at::Tensor& t, c10::ScalarType dtype) {
  if (t.layout() != c10::kStrided) throw Misuse("only dense tensors can be read");
  return t.detach().to(c10::kCPU, dtype).resolve_conj().resolve_neg().contiguous();
}

inline void read_into(const at::Tensor& t, c10::ScalarType dtype, void* out, size_t bytes) {
  const at::Tensor dense = dense_on_cpu(t, dtype);
  if (dense.nbytes() != bytes) {
    throw Misuse("reading a tensor of " + std::to_string(dense.nbytes()) + " bytes into an array of " + std::to_string(bytes));
  }
  if (bytes) std::memcpy(out, dense.const_data_ptr(), bytes);
}

// words: rank, sizes…; the array's elements are of `from`, the tensor's of `to`.
inline at::Tensor make_tensor(Engine& engine, const void* data, size_t bytes, c10::ScalarType from, c10::ScalarType to,
                              const std::string& device) {
  const int64_t rank = to_int(engine.words[0], "rank");
  if (rank < 0 || rank > 64) throw Misuse("a tensor of " + std::to_string(rank) + " dimensions");
  std::vector<int64_t> sizes;
  uint64_t count = 1;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t size = to_int(engine.words[1 + i], "size");
    if (size < 0) throw Misuse("a negative size: " + std::to_string(size));
    sizes.push_back(size);
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count)) throw Misuse("the shape is too large");
  }
  const size_t width = c10::elementSize(from);
  if (count > SIZE_MAX / width || count * width != bytes) {
    throw Misuse("the shape needs " + std::to_string(count) + " elements, the array has " + std::to_string(bytes / width));
  }
  at::Tensor t = at::empty(sizes, at::TensorOptions().dtype(from));
  if (bytes) std::memcpy(t.mutable_data_ptr(), data, bytes);
  return t.to(c10::Device(device), to);
}

// The file as uint8 [size], pages read as they are touched; writing to the tensor never writes to the file.
inline at::Tensor map_file(const std::string& path) {
  const auto fail = [&path](const char* what) {
    throw std::runtime_error(path + ": " + what + ": " + std::strerror(errno));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot open");
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    throw std::runtime_error(path + ": not a regular file");
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) {
    ::close(file);
    return at::empty({0}, at::TensorOptions().dtype(c10::kByte));
  }
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
  ::close(file);
  if (data == MAP_FAILED) fail("cannot map");
  return at::from_blob(data, {static_cast<int64_t>(size)}, [size](void* p) { ::munmap(p, size); },
                       at::TensorOptions().dtype(c10::kByte));
}

inline double item(const at::Tensor& t) {
  if (t.numel() != 1) throw Misuse("item(): a tensor of " + std::to_string(t.numel()) + " elements has no single value");
  const c10::Scalar value = t.item();
  if (value.isComplex()) throw Misuse("item(): a complex number; use view_as_real()");
  if (value.isIntegral(true)) {
    const int64_t whole = value.to<int64_t>();
    constexpr auto most = static_cast<int64_t>(kMaxSafe);
    if (whole > most || whole < -most) {
      throw Misuse("item(): " + std::to_string(whole) + " is beyond JavaScript's safe integers; use data()");
    }
  }
  return value.toDouble();
}

// words at `at`: n, handles… (0 = none); moves `at` behind them.
inline std::vector<at::Tensor> tensor_list(Engine& engine, size_t& at, const char* what) {
  const int64_t n = to_int(engine.words[at++], what);
  if (n < 0 || static_cast<size_t>(n) > engine.capacity - at) throw Misuse(std::string(what) + ": too many tensors");
  std::vector<at::Tensor> list;
  for (int64_t i = 0; i < n; ++i) {
    const double handle = engine.words[at++];
    list.push_back(handle == 0 ? at::Tensor() : engine.handles.get(handle, what));
  }
  return list;
}

// words: retain graph, create graph, outputs, gradients of outputs, inputs → gradients of inputs. No inputs: accumulate into leaves.
inline void differentiate(Engine& engine) {
  const bool retain = engine.words[0] != 0, create = engine.words[1] != 0;
  size_t at = 2;
  const auto outputs = tensor_list(engine, at, "outputs");
  const auto gradients = tensor_list(engine, at, "gradients");
  const auto inputs = tensor_list(engine, at, "inputs");
  if (outputs.empty() || gradients.size() != outputs.size()) throw Misuse("one gradient, or null, for each output");
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) throw Misuse("outputs must be tensors");
    if (!outputs[i].requires_grad()) {
      throw Misuse("the output does not require gradients: nothing it was computed from does, or it was made under noGrad()");
    }
    const at::Tensor& g = gradients[i];
    if (!g.defined() && outputs[i].numel() != 1) {
      throw Misuse("an output of " + std::to_string(outputs[i].numel()) + " elements needs its gradient given");
    }
    if (g.defined() && g.device() != outputs[i].device()) throw Misuse("the gradient must be on the output's device");
  }
  for (const auto& input : inputs) {
    if (!input.defined() || !input.requires_grad()) throw Misuse("every input must be a tensor that requires gradients");
  }
  if (inputs.empty()) {
    torch::autograd::backward(outputs, gradients, retain, create);
    engine.words[0] = 0;
    return;
  }
  const auto found = torch::autograd::grad(outputs, inputs, gradients, retain, create, /*allow_unused=*/true);
  engine.words[0] = static_cast<double>(found.size());
  for (size_t i = 0; i < found.size(); ++i) engine.words[1 + i] = found[i].defined() ? engine.handles.put(found[i]) : 0;
}

inline void set_gradient(const at::Tensor& t, const at::Tensor& gradient) {
  if (gradient.defined()) {
    if (!gradient.sizes().equals(t.sizes())) throw Misuse("grad: the shape must be the tensor's");
    if (gradient.scalar_type() != t.scalar_type()) throw Misuse("grad: the dtype must be the tensor's");
    if (gradient.device() != t.device()) throw Misuse("grad: the device must be the tensor's");
    if (gradient.is_same(t)) throw Misuse("grad: a tensor cannot be its own gradient");
  }
  t.mutable_grad() = gradient;
}

}  // namespace emend
