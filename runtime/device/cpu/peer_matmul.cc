#include "runtime/device/cpu/peer_matmul.h"

#include <openblas-pthread/cblas.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <dnnl.hpp>

#include "runtime/base/check.h"
#include "runtime/device/cpu/memory.h"
#include "runtime/tensor/dtype.h"

// From <omp.h>, which only some compilers bring along; oneDNN takes as many threads as OpenMP.
extern "C" void omp_set_num_threads(int threads);

namespace shoal::cpu {
namespace {

// Copies of one piece of bytes, each in huge pages as our own weights are.
class Copies {
 public:
  Copies(size_t bytes, size_t count)
      : bytes_((bytes + 4095) / 4096 * 4096),
        count_(count),
        data_(memory_.AllocateChunk(bytes_ * count)) {}
  ~Copies() { memory_.FreeChunk(data_, bytes_ * count_); }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;

  std::byte* at(size_t i) const { return data_ + i * bytes_; }
  void CopyFirst() {
    for (size_t i = 1; i < count_; ++i) std::memcpy(at(i), at(0), bytes_);
  }

 private:
  HostMemory memory_;
  const size_t bytes_, count_;
  std::byte* const data_;
};

class OneDnn final : public PeerMatMul {
 public:
  OneDnn(const Problem& p, DType dtype)
      : engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        threads_(p.threads),
        result_(static_cast<size_t>(p.rows * p.out)) {
    using Tag = dnnl::memory::format_tag;
    using Type = dnnl::memory::data_type;
    omp_set_num_threads(threads_);
    const Type type = dtype == DType::kBF16 ? Type::bf16 : Type::f32;
    const dnnl::memory::desc x({p.rows, p.in}, type, Tag::ab), any({p.in, p.out}, type, Tag::any),
        out({p.rows, p.out}, Type::f32, Tag::ab);
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(x, any, out), engine_);
    matmul_ = dnnl::matmul(plan);
    // Tag::ba: column k of w^T is row k of w.
    x_ = Convert({{p.rows, p.in}, Type::f32, Tag::ab}, p.x, x, nullptr);
    weights_ = std::make_unique<Copies>(plan.weights_desc().get_size(), p.copies);
    Convert({{p.in, p.out}, Type::f32, Tag::ba}, p.w, plan.weights_desc(), weights_->at(0));
    weights_->CopyFirst();
    for (size_t i = 0; i < p.copies; ++i)
      w_.emplace_back(plan.weights_desc(), engine_, weights_->at(i));
    out_ = dnnl::memory(out, engine_, result_.data());
  }
  void Run(size_t copy) override {
    omp_set_num_threads(threads_);
    matmul_.execute(stream_,
                    {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, w_[copy]}, {DNNL_ARG_DST, out_}});
    stream_.wait();
  }
  const std::vector<float>& result() const override { return result_; }

 private:
  // `to` memory, at `where` if not null, with the values of `from`.
  dnnl::memory Convert(const dnnl::memory::desc& from, const std::vector<float>& values,
                       const dnnl::memory::desc& to, void* where) {
    dnnl::memory source(from, engine_, const_cast<float*>(values.data()));
    dnnl::memory target =
        where == nullptr ? dnnl::memory(to, engine_) : dnnl::memory(to, engine_, where);
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
    return target;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  const int threads_;
  dnnl::matmul matmul_;
  std::unique_ptr<Copies> weights_;
  std::vector<float> result_;
  dnnl::memory x_, out_;
  std::vector<dnnl::memory> w_;
};

class OpenBlas final : public PeerMatMul {
 public:
  explicit OpenBlas(const Problem& p)
      : rows_(static_cast<blasint>(p.rows)),
        in_(static_cast<blasint>(p.in)),
        out_(static_cast<blasint>(p.out)),
        threads_(p.threads),
        x_(p.x),
        weights_(p.w.size() * sizeof(float), p.copies),
        result_(static_cast<size_t>(p.rows * p.out)) {
    std::memcpy(weights_.at(0), p.w.data(), p.w.size() * sizeof(float));
    weights_.CopyFirst();
  }
  void Run(size_t copy) override {
    openblas_set_num_threads(threads_);
    const auto* w = reinterpret_cast<const float*>(weights_.at(copy));
    if (rows_ == 1) {  // as its users would
      cblas_sgemv(CblasRowMajor, CblasNoTrans, out_, in_, 1, w, in_, x_.data(), 1, 0,
                  result_.data(), 1);
      return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows_, out_, in_, 1, x_.data(), in_, w,
                in_, 0, result_.data(), out_);
  }
  const std::vector<float>& result() const override { return result_; }

 private:
  const blasint rows_, in_, out_;
  const int threads_;
  const std::vector<float> x_;
  Copies weights_;
  std::vector<float> result_;
};

}  // namespace

std::unique_ptr<PeerMatMul> NewOneDnn(const PeerMatMul::Problem& problem, DType dtype) {
  CHECK(dtype == DType::kBF16 || dtype == DType::kF32) << DTypeName(dtype);
  return std::make_unique<OneDnn>(problem, dtype);
}
std::string OpenBlasCore() { return openblas_get_corename(); }
std::unique_ptr<PeerMatMul> NewOpenBlas(const PeerMatMul::Problem& problem) {
  return std::make_unique<OpenBlas>(problem);
}

}  // namespace shoal::cpu
