// The Node-API door: every entry runs inside one guard that turns any C++ exception into a JavaScript one.
#include "attention.h"
#include "memory.h"
#include "tensors.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <cctype>

namespace emend {
namespace {

constexpr size_t kWords = 1 << 20;
constexpr size_t kMaxArguments = 8;

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Misuse(std::string("wrong kind of value: ") + what);
}

// One line for people: without C++ frames, and without the dispatcher's list of every backend.
std::string brief(std::string message) {
  for (const char* cut : {"\nException raised from", ". This could be because", " This could be because"}) {
    const size_t at = message.find(cut);
    if (at != std::string::npos) message.resize(at);
  }
  for (char& c : message) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  while (!message.empty() && std::isspace(static_cast<unsigned char>(message.back()))) message.pop_back();
  return message;
}

struct Call {
  Engine& engine;
  napi_env env;
  const napi_value* arguments;

  double number(size_t i) const {
    double value = 0;
    check(napi_get_value_double(env, arguments[i], &value), "a number");
    return value;
  }
  bool boolean(size_t i) const {
    bool value = false;
    check(napi_get_value_bool(env, arguments[i], &value), "a boolean");
    return value;
  }
  std::string string(size_t i) const {
    size_t length = 0;
    check(napi_get_value_string_utf8(env, arguments[i], nullptr, 0, &length), "a string");
    std::string value(length, '\0');
    check(napi_get_value_string_utf8(env, arguments[i], value.data(), length + 1, &length), "a string");
    return value;
  }
  const at::Tensor& tensor(size_t i, const char* what) const { return engine.handles.get(number(i), what); }
  std::pair<void*, size_t> array(size_t i) const {
    bool typed = false;
    check(napi_is_typedarray(env, arguments[i], &typed), "a typed array");
    if (!typed) throw Misuse("wrong kind of value: a typed array");
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    check(napi_get_typedarray_info(env, arguments[i], &type, &length, &data, nullptr, nullptr), "a typed array");
    static constexpr size_t kWidths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    if (static_cast<size_t>(type) >= std::size(kWidths)) throw Misuse("wrong kind of value: this typed array");
    return {data, length * kWidths[type]};
  }

  napi_value of(double value) const {
    napi_value out = nullptr;
    check(napi_create_double(env, value, &out), "a number");
    return out;
  }
  napi_value of(bool value) const {
    napi_value out = nullptr;
    check(napi_get_boolean(env, value, &out), "a boolean");
    return out;
  }
  napi_value of(const std::string& value) const {
    napi_value out = nullptr;
    check(napi_create_string_utf8(env, value.data(), value.size(), &out), "a string");
    return out;
  }
};

void raise(napi_env env, bool misuse, const std::string& message) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) return;
  const std::string line = brief(message);
  misuse ? napi_throw_type_error(env, nullptr, line.c_str()) : napi_throw_error(env, nullptr, line.c_str());
}

using Entry = napi_value (*)(const Call&);

template <Entry entry, size_t arity>
napi_value guarded(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t count = arity;
  napi_value arguments[kMaxArguments];
  if (napi_get_cb_info(env, info, &count, arity ? arguments : nullptr, nullptr, &data) != napi_ok) return nullptr;
  auto& engine = *static_cast<Engine*>(data);
  engine.running = nullptr;
  std::string message;
  bool misuse = false;
  try {
    return entry({engine, env, arguments});
  } catch (const Misuse& error) {
    misuse = true;
    message = error.what();
  } catch (const c10::Error& error) {
    message = error.what_without_backtrace();
    if (engine.running) message = engine.running->label + ": " + message;
  } catch (const std::exception& error) {
    message = error.what();
    if (engine.running) message = engine.running->label + ": " + message;
  } catch (...) {
    message = "an unknown C++ exception";
  }
  engine.stack.clear();
  raise(env, misuse, message);
  return nullptr;
}

napi_value run(const Call& c) {
  call(c.engine);
  return nullptr;
}

napi_value find(const Call& c) { return c.of(static_cast<double>(find_operator(c.engine, c.string(0), c.string(1)))); }

napi_value schema(const Call& c) {
  const double id = c.number(0);
  if (!(id >= 0 && id < static_cast<double>(c.engine.operators.size()))) throw Misuse("no such operator");
  return c.of(schema_of(c.engine.operators[static_cast<size_t>(id)]));
}

napi_value intern(const Call& c) {
  c.engine.strings.push_back(c.string(0));
  return c.of(static_cast<double>(c.engine.strings.size() - 1));
}

napi_value free_one(const Call& c) {
  c.engine.handles.free(c.number(0));
  return nullptr;
}

// words: n, handles…
napi_value free_many(const Call& c) {
  const double n = c.engine.words[0];
  if (!(n >= 0 && n < static_cast<double>(c.engine.capacity))) throw Misuse("too many handles");
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) c.engine.handles.free(c.engine.words[1 + i]);
  return nullptr;
}

napi_value describe(const Call& c) {
  describe_tensor(c.engine, c.tensor(0, "meta"));
  return nullptr;
}

// (array, dtype of its elements, dtype, device) and the shape in words → handle
napi_value make(const Call& c) {
  const auto [data, bytes] = c.array(0);
  const at::Tensor t = make_tensor(c.engine, data, bytes, to_dtype(c.number(1)), to_dtype(c.number(2)), c.string(3));
  return c.of(c.engine.handles.put(t));
}

// (handle, dtype, array)
napi_value read(const Call& c) {
  const auto [data, bytes] = c.array(2);
  read_into(c.tensor(0, "data"), to_dtype(c.number(1)), data, bytes);
  return nullptr;
}

napi_value item_of(const Call& c) { return c.of(item(c.tensor(0, "item"))); }
napi_value map(const Call& c) { return c.of(c.engine.handles.put(map_file(c.string(0)))); }

napi_value backward(const Call& c) {
  differentiate(c.engine);
  return nullptr;
}

// (handle, a handle known for its gradient or 0) → the known one if it is the gradient still, a new one, or 0 for none
napi_value gradient(const Call& c) {
  const at::Tensor& found = c.tensor(0, "grad").grad();
  if (!found.defined()) return c.of(0.0);
  const at::Tensor* known = c.engine.handles.find(c.number(1));
  return known && known->is_same(found) ? c.arguments[1] : c.of(c.engine.handles.put(found));
}

napi_value assign_gradient(const Call& c) {
  const double handle = c.number(1);
  set_gradient(c.tensor(0, "grad"), handle == 0 ? at::Tensor() : c.tensor(1, "grad"));
  return nullptr;
}

napi_value requires_grad(const Call& c) { return c.of(c.tensor(0, "requiresGrad").requires_grad()); }

napi_value grad_mode(const Call& c) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(c.boolean(0));
  return c.of(before);
}

napi_value inference_mode(const Call& c) {
  auto& modes = c.engine.inference;
  if (c.boolean(0)) {
    modes.push_back(std::make_unique<c10::InferenceMode>(true));
  } else if (!modes.empty()) {
    modes.pop_back();
  }
  return nullptr;
}

napi_value seed(const Call& c) {
  at::manual_seed(static_cast<uint64_t>(to_int(c.number(0), "seed")));
  return nullptr;
}

c10::Device device_at(const Call& c, size_t i) {
  const c10::Device device(c.string(i));
  return device.is_cpu() || device.has_index() ? device : c10::Device(device.type(), 0);
}

napi_value random_state(const Call& c) {
  const auto generator = at::globalContext().defaultGenerator(device_at(c, 0));
  return c.of(c.engine.handles.put(generator.get_state()));
}

napi_value restore_random_state(const Call& c) {
  auto generator = at::globalContext().defaultGenerator(device_at(c, 0));
  generator.set_state(c.tensor(1, "setRandomState"));
  return nullptr;
}

napi_value threads(const Call& c) {
  const int64_t n = to_int(c.number(0), "threads");
  if (n > 1024) throw Misuse("threads: at most 1024");
  if (n > 0) at::set_num_threads(static_cast<int>(n));
  return c.of(static_cast<double>(at::get_num_threads()));
}

// "cpu" and, when there is an accelerator, its name and count: "cuda 1".
napi_value accelerator(const Call& c) {
  const auto type = at::accelerator::getAccelerator();
  const int count = type ? at::accelerator::deviceCount() : 0;
  return c.of(count ? c10::DeviceTypeName(*type, true) + " " + std::to_string(count) : std::string());
}

napi_value synchronize(const Call& c) {
  const c10::Device device = device_at(c, 0);
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
  return nullptr;
}

// words: → live tensors of this environment, then bytes on the CPU, their limit and resident bytes of the whole process
napi_value memory(const Call& c) {
  auto& allocator = CountingAllocator::get();
  c.engine.words[0] = static_cast<double>(c.engine.handles.live());
  c.engine.words[1] = static_cast<double>(allocator.live());
  c.engine.words[2] = static_cast<double>(allocator.limit());
  c.engine.words[3] = static_cast<double>(resident_bytes());
  return nullptr;
}

// (bytes), 0 = what machine and cgroups allow
napi_value limit_memory(const Call& c) {
  const auto bytes = static_cast<uint64_t>(std::max<int64_t>(0, to_int(c.number(0), "limit")));
  CountingAllocator::get().set_limit(bytes ? bytes : kUnlimited);
  return nullptr;
}

napi_value flush_denormals(const Call& c) { return c.of(at::globalContext().setFlushDenormal(c.boolean(0))); }
napi_value version(const Call& c) { return c.of(std::string(TORCH_VERSION)); }
napi_value configuration(const Call& c) { return c.of(at::show_config()); }

template <Entry entry, size_t arity>
void export_function(napi_env env, napi_value exports, Engine* engine, const char* name) {
  napi_value function = nullptr;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<entry, arity>, engine, &function), name);
  check(napi_set_named_property(env, exports, name, function), name);
}

void open_engine(napi_env env, napi_value exports) {
  c10::SetAllocator(c10::DeviceType::CPU, &CountingAllocator::get(), 0);
  register_operators();
  auto owned = std::make_unique<Engine>();
  Engine* engine = owned.get();
  engine->env = env;
  engine->capacity = kWords;
  napi_value buffer = nullptr, words = nullptr;
  void* data = nullptr;
  check(napi_create_arraybuffer(env, kWords * sizeof(double), &data, &buffer), "the words");
  engine->words = static_cast<double*>(data);
  check(napi_create_reference(env, buffer, 1, &engine->buffer), "the words");
  check(napi_create_typedarray(env, napi_float64_array, kWords, buffer, 0, &words), "the words");
  check(napi_set_named_property(env, exports, "words", words), "the words");
  check(napi_set_instance_data(env, engine, [](napi_env, void* p, void*) { delete static_cast<Engine*>(p); }, nullptr), "state");
  owned.release();

  export_function<run, 0>(env, exports, engine, "call");
  export_function<find, 2>(env, exports, engine, "find");
  export_function<schema, 1>(env, exports, engine, "schema");
  export_function<intern, 1>(env, exports, engine, "intern");
  export_function<free_one, 1>(env, exports, engine, "free");
  export_function<free_many, 0>(env, exports, engine, "freeMany");
  export_function<describe, 1>(env, exports, engine, "describe");
  export_function<make, 4>(env, exports, engine, "make");
  export_function<read, 3>(env, exports, engine, "read");
  export_function<item_of, 1>(env, exports, engine, "item");
  export_function<map, 1>(env, exports, engine, "mapFile");
  export_function<backward, 0>(env, exports, engine, "differentiate");
  export_function<gradient, 2>(env, exports, engine, "gradient");
  export_function<assign_gradient, 2>(env, exports, engine, "setGradient");
  export_function<requires_grad, 1>(env, exports, engine, "requiresGrad");
  export_function<grad_mode, 1>(env, exports, engine, "gradMode");
  export_function<inference_mode, 1>(env, exports, engine, "inferenceMode");
  export_function<seed, 1>(env, exports, engine, "seed");
  export_function<random_state, 1>(env, exports, engine, "randomState");
  export_function<restore_random_state, 2>(env, exports, engine, "setRandomState");
  export_function<threads, 1>(env, exports, engine, "threads");
  export_function<accelerator, 0>(env, exports, engine, "accelerator");
  export_function<synchronize, 1>(env, exports, engine, "synchronize");
  export_function<memory, 0>(env, exports, engine, "memory");
  export_function<limit_memory, 1>(env, exports, engine, "setMemoryLimit");
  export_function<flush_denormals, 1>(env, exports, engine, "flushDenormals");
  export_function<version, 0>(env, exports, engine, "version");
  export_function<configuration, 0>(env, exports, engine, "configuration");
}

}  // namespace
}  // namespace emend

NAPI_MODULE_INIT() {
  try {
    emend::open_engine(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return exports;
}
