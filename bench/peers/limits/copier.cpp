#include <algorithm>
#include <cstring>
#include <ctime>

#include "limits.hpp"
#include "perf/payload.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"

namespace causeway::bench {
namespace {

using namespace perf;
using platform::monotonic_ns;

constexpr std::size_t kPageBytes = 4096;
constexpr std::uint64_t kClockEvery = 64;          // copies, of small messages
constexpr std::uint64_t kLargeMessage = 64 << 10;  // bytes

class Copier final : public Sampler {
public:
    Copier(Kernel kernel, const Plan& plan, std::size_t stride, platform::Mapping source,
           platform::Mapping target)
        : kernel_(kernel),
          plan_(plan),
          stride_(stride),
          source_(std::move(source)),
          target_(std::move(target)) {}

    Result<const Outcome*> sample(const SampleOrder& order) override {
        if (order.verify || seed_ == 0) {
            ++seed_;
            for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
                fill_noise({source_.data() + slot * stride_, plan_.size}, seed_, slot);
            std::memset(target_.data(), 0, target_.size());
        }
        outcome_ = Outcome();
        (void)copy_for(plan_.warm_up);
        const std::clock_t cpu = std::clock();
        const std::uint64_t start = monotonic_ns();
        outcome_.messages = copy_for(order.seconds);
        outcome_.elapsed_ns = monotonic_ns() - start;
        outcome_.initiator_cpu_ns =
            static_cast<std::uint64_t>(std::clock() - cpu) * (1'000'000'000u / CLOCKS_PER_SEC);
        outcome_.verified = verify();
        return &outcome_;
    }
    std::string executor() const override { return "none"; }

private:
    std::uint64_t copy_for(double seconds) {
        const std::uint64_t mask = plan_.size >= kLargeMessage ? 0 : kClockEvery - 1;
        const std::uint64_t end = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
        std::uint64_t copies = 0;
        std::size_t at = 0;
        const std::size_t size = plan_.size;
        const std::size_t all = plan_.buffers * stride_;
        do {
            copy_with(kernel_, target_.data() + at, source_.data() + at, size);
            asm volatile("" : : "r"(target_.data()) : "memory");
            at = at + stride_ == all ? 0 : at + stride_;
        } while ((++copies & mask) != 0 || monotonic_ns() < end);
        return copies;
    }
    bool verify() const {
        const std::uint64_t copied = std::min<std::uint64_t>(outcome_.messages, plan_.buffers);
        for (std::uint64_t slot = 0; slot < copied; ++slot) {
            if (std::memcmp(target_.data() + slot * stride_, source_.data() + slot * stride_,
                            plan_.size) != 0)
                return false;
        }
        return copied > 0;
    }

    const Kernel kernel_;
    const Plan plan_;
    const std::size_t stride_;
    platform::Mapping source_;
    platform::Mapping target_;
    std::uint64_t seed_ = 0;
    Outcome outcome_{};
};

Result<platform::Mapping> make_memory(std::size_t size) {
    CW_TRY_ASSIGN(const auto file, platform::create_memfd("bench-copy", size, 0));
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(file.get(), size));
    CW_TRY(mapping.populate_write(0, size));
    return mapping;
}

}  // namespace

Result<std::unique_ptr<Sampler>> make_copier(Kernel kernel, const Plan& plan) {
    if (plan.test != Test::bandwidth)
        return fail(ErrorCode::unsupported, "a copy on one core has a bandwidth only");
    if (plan.cores.initiator.has_value())
        CW_TRY(platform::pin_thread(*plan.cores.initiator));
    const std::size_t unit = plan.size >= kPageBytes ? kPageBytes : 64;
    const std::size_t stride = (plan.size + unit - 1) / unit * unit;
    const std::size_t all = (stride * plan.buffers + kPageBytes - 1) / kPageBytes * kPageBytes;
    CW_TRY_ASSIGN(auto source, make_memory(all));
    CW_TRY_ASSIGN(auto target, make_memory(all));
    return std::make_unique<Copier>(kernel, plan, stride, std::move(source), std::move(target));
}

}  // namespace causeway::bench
