#include "platform/cpu.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace causeway::platform {

namespace {

constexpr unsigned kMostCpus = 1u << 16;

// A CPU set of as many bits as this kernel wants, which is more than cpu_set_t on large machines.
class CpuSet {
public:
    explicit CpuSet(unsigned cpus) : words_((cpus + kBits - 1) / kBits) {}
    [[nodiscard]] cpu_set_t* get() noexcept { return reinterpret_cast<cpu_set_t*>(words_.data()); }
    [[nodiscard]] std::size_t bytes() const noexcept { return words_.size() * sizeof words_[0]; }
    [[nodiscard]] bool has(unsigned cpu) const noexcept {
        return ((words_[cpu / kBits] >> (cpu % kBits)) & 1u) != 0;
    }
    void add(unsigned cpu) noexcept { words_[cpu / kBits] |= 1ul << (cpu % kBits); }

private:
    static constexpr unsigned kBits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> words_;
};

#if defined(__x86_64__)
CpuFeatures detect() noexcept {
    CpuFeatures features;
    __builtin_cpu_init();
    features.avx = __builtin_cpu_supports("avx") != 0;
    features.avx2 = __builtin_cpu_supports("avx2") != 0;
    features.avx512f = __builtin_cpu_supports("avx512f") != 0;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
        features.erms = (b & (1u << 9)) != 0;
        features.clwb = (b & (1u << 24)) != 0;
        features.fsrm = (d & (1u << 4)) != 0;
    }
    return features;
}
#else
CpuFeatures detect() noexcept { return {}; }
#endif

}  // namespace

unsigned online_cpus() noexcept {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<unsigned>(count) : 1;
}

std::vector<unsigned> allowed_cpus() {
    for (unsigned most = 1024; most <= kMostCpus; most *= 2) {
        CpuSet set(most);
        if (::sched_getaffinity(0, set.bytes(), set.get()) == 0) {
            std::vector<unsigned> cpus;
            for (unsigned cpu = 0; cpu < most; ++cpu) {
                if (set.has(cpu))
                    cpus.push_back(cpu);
            }
            return cpus;
        }
        if (errno != EINVAL)
            break;
    }
    return {0};
}

Result<void> pin_thread(unsigned cpu) {
    int err = EINVAL;
    if (cpu < kMostCpus) {
        CpuSet set(cpu + 1);
        set.add(cpu);
        if (::sched_setaffinity(0, set.bytes(), set.get()) == 0)
            return {};
        err = errno;
    }
    if (err != EINVAL)
        return fail_errno_format(err, "bind the thread to processor %u", cpu);
    std::string allowed;
    for (const unsigned other : allowed_cpus()) {
        allowed += allowed.empty() ? "" : " ";
        allowed += std::to_string(other);
    }
    return fail_format(ErrorCode::invalid_argument,
                       "there is no processor %u for this thread; it may run on: %s", cpu,
                       allowed.c_str());
}

const CpuFeatures& cpu_features() noexcept {
    static const CpuFeatures features = detect();
    return features;
}

std::string cpu_model() {
#if defined(__x86_64__)
    char brand[49] = {};
    for (unsigned i = 0; i < 3; ++i) {
        unsigned words[4] = {};
        if (__get_cpuid(0x80000002u + i, &words[0], &words[1], &words[2], &words[3]) == 0)
            break;
        std::memcpy(brand + i * sizeof words, words, sizeof words);
    }
    std::string model(brand);
    const std::size_t first = model.find_first_not_of(' ');
    if (first != std::string::npos) {
        return model.substr(first, model.find_last_not_of(' ') - first + 1);
    }
    return "x86-64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "unknown";
#endif
}

std::string cpu_identity() {
    std::string identity = cpu_model();
#if defined(__x86_64__)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) != 0) {
        const unsigned base = a >> 8 & 15;
        const unsigned family = base == 15 ? base + (a >> 20 & 255) : base;
        const unsigned model = (a >> 4 & 15) | (base == 6 || base == 15 ? (a >> 16 & 15) << 4 : 0U);
        identity += format_text(", family %u model %u stepping %u", family, model, a & 15);
    }
#endif
    return identity;
}

}  // namespace causeway::platform
