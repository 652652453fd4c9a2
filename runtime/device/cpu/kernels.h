#ifndef SHOAL_RUNTIME_DEVICE_CPU_KERNELS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/attention.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/cpu/row_kernels.h"

namespace shoal::cpu {

// What an instruction set provides. Every table returns the same bits for the same task; none
// allocates, none knows threads. REQUIRES: FlushDenormals in the calling thread.
struct Kernels {
  // Columns [16 * first_panel, 16 * last_panel) of the task; scratch of
  // MatMulBlocking::kScratchBytes.
  void (*mat_mul)(const MatMulTask& task, int64_t first_panel, int64_t last_panel,
                  std::byte* scratch);
  // scratch of AttendScratch(task).bytes.
  void (*attend)(const AttendTask& task, std::byte* scratch);
  void (*norm)(const NormTask& task, int64_t begin, int64_t end);
  void (*swiglu)(const PairTask& task, int64_t begin, int64_t end);
  void (*cast)(const PairTask& task, int64_t begin, int64_t end);
  void (*add)(const PairTask& task, int64_t begin, int64_t end);
  void (*combine)(const CombineTask& task, int64_t begin, int64_t end);
  void (*gate_scores)(const GateTask& task, int64_t begin, int64_t end);
};

// Any x86-64; AVX2 with FMA; AVX-512 F, BW, DQ, VL; these with AMX-BF16, VBMI and
// BF16. To call one on a
// lesser CPU is an illegal instruction.
const Kernels& PortableKernels();
const Kernels& Avx2Kernels();
const Kernels& Avx512Kernels();
const Kernels& AmxKernels();

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_KERNELS_H_
