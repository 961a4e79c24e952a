// Attention of one new token a row, which writes its key and value into a cache and reads those before it. PyTorch's kernel does the same
// by products of matrices with one row, and spends most of its time on copying what it multiplies.
#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorIterator.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
// Compiled for each kind of processor, the loader takes the one that fits; loops of fixed length become vectors.
#define EMEND_PER_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define EMEND_PER_PROCESSOR
#endif

#define INLINED inline __attribute__((always_inline))

namespace emend {

constexpr int64_t kLanes = 16;  // numbers of the widest registers
constexpr int64_t kBlock = 32;  // columns that are read together

// e^x for x ≤ 0, to 2 units in the last place; below -87.3 what it is there, 1.2e-38. Cephes' polynomial, written so that compilers make
// vectors of it.
INLINED float exponential(float x) {
  x = std::max(x, -87.3f);
  const float magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole number, which then stands in the low bits
  const float shifted = x * 1.44269504f + magic;
  const float whole = shifted - magic;
  const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, 4);
  const uint32_t scale = (bits - 0x4B400000u + 127) << 23;
  float power;
  std::memcpy(&power, &scale, 4);
  return p * power;
}

// out = scale · x turned by its position: x · cos + (x with its halves swapped) · sin, where sin is negative in the first half.
INLINED void rotate(const float* x, const float* cos, const float* sin, int64_t width, float scale, float* out) {
  const int64_t half = width / 2;
  for (int64_t i = 0; i < half; ++i) out[i] = scale * (x[i] * cos[i] + x[i + half] * sin[i]);
  for (int64_t i = half; i < width; ++i) out[i] = scale * (x[i] * cos[i] + x[i - half] * sin[i]);
}

// out[h] += Σ weights[h][r] · rows[r], for H heads, W numbers of each of `count` rows: loaded once for all heads, summed in registers.
template <int H, int W>
INLINED void blend(const float* weights, int64_t between_weights, const float* rows, int64_t between_rows, int64_t count, float* out,
                   int64_t between_out) {
  float sums[H][W];
  for (int h = 0; h < H; ++h)
    for (int i = 0; i < W; ++i) sums[h][i] = out[h * between_out + i];
  for (int64_t r = 0; r < count; ++r, rows += between_rows) {
    for (int h = 0; h < H; ++h) {
      const float weight = weights[h * between_weights + r];
      for (int i = 0; i < W; ++i) sums[h][i] += weight * rows[i];
    }
  }
  for (int h = 0; h < H; ++h)
    for (int i = 0; i < W; ++i) out[h * between_out + i] = sums[h][i];
}

// The same for any number of heads and numbers.
INLINED void blend(int64_t heads, int64_t width, const float* weights, int64_t between_weights, const float* rows, int64_t between_rows,
                   int64_t count, float* out, int64_t between_out) {
  const auto across = [&]<int H>(std::integral_constant<int, H>, const float* w, float* to) __attribute__((always_inline)) {
    int64_t i = 0;
    for (; i + 32 <= width; i += 32) blend<H, 32>(w, between_weights, rows + i, between_rows, count, to + i, between_out);
    for (; i + 16 <= width; i += 16) blend<H, 16>(w, between_weights, rows + i, between_rows, count, to + i, between_out);
    for (int64_t r = 0; i < width && r < count; ++r)
      for (int h = 0; h < H; ++h)
        for (int64_t j = i; j < width; ++j) to[h * between_out + j] += w[h * between_weights + r] * rows[r * between_rows + j];
  };
  for (; heads >= 4; heads -= 4, weights += 4 * between_weights, out += 4 * between_out)
    across(std::integral_constant<int, 4>(), weights, out);
  if (heads == 3) across(std::integral_constant<int, 3>(), weights, out);
  if (heads == 2) across(std::integral_constant<int, 2>(), weights, out);
  if (heads == 1) across(std::integral_constant<int, 1>(), weights, out);
}

// Of a row of so many numbers, a multiple of `kBlock`, in place.
INLINED void softmax(float* row, int64_t columns) {
  float lanes[kLanes];
  std::copy_n(row, kLanes, lanes);
  for (int64_t c = kLanes; c < columns; c += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] = lanes[j] > row[c + j] ? lanes[j] : row[c + j];
  }
  const float largest = *std::max_element(lanes, lanes + kLanes);
  std::fill_n(lanes, kLanes, 0.0f);
  for (int64_t c = 0; c < columns; c += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      row[c + j] = exponential(row[c + j] - largest);
      lanes[j] += row[c + j];
    }
  }
  float total = 0;
  for (const float lane : lanes) total += lane;
  const float share = 1 / total;
  for (int64_t c = 0; c < columns; ++c) row[c] *= share;
}

// What is alike for all rows and heads.
struct Decoding {
  int64_t heads;     // that share keys
  int64_t width;     // of a head
  int64_t capacity;  // columns of the buffers
  int64_t end;       // the column that is written
  float scale, soft_cap;
};

// One row's heads that share keys.
struct Group {
  const float *q, *k, *v;   // [heads, width], [width], [width]
  const float *cos, *sin;   // [width], or null
  float *keys, *values;     // [width, capacity], [capacity, width]
  int64_t first;            // the first column that is read
  float* out;               // [heads, width]
};

// Writes the token's key and value, and reads columns `first` to `end`. `scratch` holds heads · (columns + 64 + width) numbers.
EMEND_PER_PROCESSOR
void attend(const Decoding& all, const Group& group, float* scratch) {
  const auto [heads, width, capacity, end, scale, soft_cap] = all;
  const auto [q, k, v, cos, sin, keys, values, first, out] = group;
  float *queries = scratch, *scores = scratch + heads * width;
  if (cos) {
    rotate(k, cos, sin, width, 1, queries);
    for (int64_t i = 0; i < width; ++i) keys[i * capacity + end] = queries[i];
    for (int64_t h = 0; h < heads; ++h) rotate(q + h * width, cos, sin, width, scale, queries + h * width);
  } else {
    for (int64_t i = 0; i < width; ++i) keys[i * capacity + end] = k[i];
    for (int64_t i = 0; i < heads * width; ++i) queries[i] = scale * q[i];
  }
  std::copy_n(v, width, values + end * width);

  // Whole blocks: some columns more on both sides, which are not read.
  const int64_t from = first / kBlock * kBlock, columns = (end / kBlock + 1) * kBlock - from;
  std::fill(scores, scores + heads * columns, 0.0f);
  blend(heads, columns, queries, width, keys + from, capacity, width, scores, columns);
  for (int64_t h = 0; h < heads; ++h) {
    float* row = scores + h * columns;
    if (soft_cap > 0)
      for (int64_t c = 0; c < columns; ++c) row[c] = soft_cap * std::tanh(row[c] / soft_cap);
    std::fill(row, row + (first - from), -INFINITY);
    std::fill(row + (end + 1 - from), row + columns, -INFINITY);
    softmax(row, columns);
  }
  std::fill(out, out + heads * width, 0.0f);
  blend(heads, width, scores + first - from, columns, values + first * width, width, end + 1 - first, out, width);
}

inline void check_rows(const at::Tensor& t, const char* name, int64_t rows, int64_t width) {
  TORCH_CHECK(t.device().is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 2 && t.size(0) == rows && t.size(1) == width,
              "decode_attention: ", name, ": expected float32 [", rows, ", ", width, "] on the CPU, got ", t.scalar_type(), " ",
              t.sizes());
}

// Rows of neighbouring numbers, wherever each begins.
inline at::Tensor dense(const at::Tensor& t) { return t.stride(1) == 1 ? t : t.contiguous(); }

inline at::Tensor numbers_of(const at::Tensor& t, const char* name, int64_t count) {
  TORCH_CHECK(t.device().is_cpu() && t.scalar_type() == at::kFloat && t.numel() == count, "decode_attention: ", name, ": expected ", count,
              " float32 numbers on the CPU, got ", t.scalar_type(), " ", t.sizes());
  return t.contiguous();
}

inline void check_buffer(const at::Tensor& t, const char* name, at::IntArrayRef least) {
  TORCH_CHECK(t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.dim() == 4 && t.size(0) >= least[0] &&
                  t.sizes().slice(1) == least.slice(1) && !t.requires_grad(),
              "decode_attention: ", name, ": expected contiguous float32 ", least, ", or more rows, on the CPU without gradient, got ",
              t.scalar_type(), " ", t.sizes());
}

// q [B, heads · D], k and v [B, kvHeads · D]; cos and sin of B · D numbers or neither; keys and values [≥ B, kvHeads, columns, D], the
// keys' columns being neighbours in memory. Row b is written in column `end` and read from column max(starts[b], end + 1 - window) to it
// → [B, heads · D].
inline at::Tensor decode_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::optional<at::Tensor>& cos,
                                   const std::optional<at::Tensor>& sin, const at::Tensor& keys, const at::Tensor& values,
                                   at::IntArrayRef starts, int64_t end, int64_t window, double scale, double soft_cap) {
  TORCH_CHECK(q.dim() == 2 && keys.dim() == 4, "decode_attention: expected q of 2 dimensions and keys of 4");
  const int64_t batch = q.size(0), kv_heads = keys.size(1), capacity = keys.size(2), width = keys.size(3);
  TORCH_CHECK(width > 0 && kv_heads > 0 && q.size(1) > 0 && q.size(1) % width == 0 && q.size(1) / width % kv_heads == 0,
              "decode_attention: q: got ", q.sizes(), ", expected the width of a multiple of the ", kv_heads, " heads of keys ", width, " wide");
  const int64_t heads = q.size(1) / width / kv_heads;
  check_rows(q, "q", batch, q.size(1));
  check_rows(k, "k", batch, kv_heads * width);
  check_rows(v, "v", batch, kv_heads * width);
  TORCH_CHECK(!at::GradMode::is_enabled() || !(q.requires_grad() || k.requires_grad() || v.requires_grad()),
              "decode_attention: has no gradient: call it within noGrad()");
  TORCH_CHECK(cos.has_value() == sin.has_value(), "decode_attention: cos and sin: expected both or neither");
  TORCH_CHECK(!cos || width % 2 == 0, "decode_attention: a width of ", width, " has no halves to rotate");
  TORCH_CHECK(capacity % kBlock == 0, "decode_attention: keys: got ", capacity, " columns, expected a multiple of ", kBlock);
  check_buffer(keys.transpose(2, 3), "the transpose of keys", {batch, kv_heads, width, capacity});
  check_buffer(values, "values", {batch, kv_heads, capacity, width});
  TORCH_CHECK(end >= 0 && end < capacity, "decode_attention: end: got ", end, ", expected a column of ", capacity);
  TORCH_CHECK(window > 0, "decode_attention: window: got ", window, ", expected 1 or more");
  TORCH_CHECK(static_cast<int64_t>(starts.size()) == batch, "decode_attention: starts: got ", starts.size(), ", expected ", batch);
  for (const int64_t start : starts) TORCH_CHECK(start >= 0 && start <= end, "decode_attention: starts: got ", start, ", expected 0 to ", end);

  const at::Tensor queries = dense(q), new_keys = dense(k), new_values = dense(v);
  at::Tensor cosines, sines;
  if (cos) {
    cosines = numbers_of(*cos, "cos", batch * width);
    sines = numbers_of(*sin, "sin", batch * width);
  }
  const at::Tensor out = at::empty({batch, kv_heads * heads * width}, q.options());
  const float *qs = queries.const_data_ptr<float>(), *ks = new_keys.const_data_ptr<float>(), *vs = new_values.const_data_ptr<float>();
  const float *cs = cos ? cosines.const_data_ptr<float>() : nullptr, *ss = cos ? sines.const_data_ptr<float>() : nullptr;
  float *key_cache = keys.data_ptr<float>(), *value_cache = values.data_ptr<float>(), *outs = out.data_ptr<float>();

  // A chunk of some ten microseconds: less is not worth another thread.
  const int64_t longest = end + 1 - (batch > 0 ? *std::min_element(starts.begin(), starts.end()) : 0);
  const Decoding all{heads, width, capacity, end, static_cast<float>(scale), static_cast<float>(soft_cap)};
  const auto work = [&](int64_t from, int64_t to) {
    std::vector<float> scratch(heads * (std::min(longest, window) + 2 * kBlock + width));
    for (int64_t i = from; i < to; ++i) {
      const int64_t row = i / kv_heads, head = i % kv_heads;
      const Group group{.q = qs + row * queries.stride(0) + head * heads * width,
                        .k = ks + row * new_keys.stride(0) + head * width,
                        .v = vs + row * new_values.stride(0) + head * width,
                        .cos = cs ? cs + row * width : nullptr,
                        .sin = ss ? ss + row * width : nullptr,
                        .keys = key_cache + i * width * capacity,
                        .values = value_cache + i * capacity * width,
                        .first = std::max(starts[row], end + 1 - window),
                        .out = outs + i * heads * width};
      attend(all, group, scratch.data());
    }
  };
  // libtorch's own loop over elements, in its own threads: the binding needs no OpenMP beside it.
  const int64_t items = batch * kv_heads;
  if (items == 0) return out;
  std::vector<char> marks(items);
  at::Tensor each = at::from_blob(marks.data(), {items}, at::kByte);
  auto iterator = at::TensorIterator::borrowing_nullary_op(each);
  const int64_t cost = heads * longest * width;
  iterator.for_each(
      [&](char** data, const int64_t*, int64_t n) {
        const int64_t from = data[0] - marks.data();
        work(from, from + n);
      },
      std::max<int64_t>(1, 65536 / std::max<int64_t>(1, cost)));
  return out;
}

// Operators of our own, beside libtorch's: `emend::…`. Once a process, whatever is loaded into it.
inline void register_operators() {
  static const auto* const library = [] {
    if (c10::Dispatcher::singleton().findSchema({"emend::decode_attention", ""})) return static_cast<torch::Library*>(nullptr);
    auto* made = new torch::Library(torch::Library::FRAGMENT, "emend", std::nullopt, __FILE__, __LINE__);
    made->def("decode_attention(Tensor q, Tensor k, Tensor v, Tensor? cos, Tensor? sin, Tensor(a!) keys, Tensor(b!) values, int[] starts, "
              "int end, int window, float scale, float soft_cap) -> Tensor");
    made->impl("decode_attention", c10::DispatchKey::CPU, TORCH_FN(decode_attention));
    return made;
  }();
  (void)library;
}

}  // namespace emend
