// Processors: how many, which features, where this thread runs.
//
// Threading: all functions may be called from any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace causeway::platform {

inline void cpu_relax() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

// Processors that the system has online; at least 1.
[[nodiscard]] unsigned online_cpus() noexcept;
// Those on which the calling thread may run, ascending.
[[nodiscard]] std::vector<unsigned> allowed_cpus();
// Binds the calling thread to one processor. invalid_argument names those that are allowed.
[[nodiscard]] Result<void> pin_thread(unsigned cpu);

struct CpuFeatures {
    bool avx = false;
    bool avx2 = false;
    bool avx512f = false;
    bool erms = false;  // enhanced rep movsb
    bool fsrm = false;  // fast short rep movsb
    bool clwb = false;
};
// Usable now: the processor has it and the system saves its registers. All false off x86-64.
[[nodiscard]] const CpuFeatures& cpu_features() noexcept;
// "AMD EPYC", or the architecture where the processor does not say.
[[nodiscard]] std::string cpu_model();
// The model and what tells generations of one name apart: "AMD EPYC, family 25 model 1 stepping 1".
[[nodiscard]] std::string cpu_identity();

}  // namespace causeway::platform
