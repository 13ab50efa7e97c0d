// Worker: a UCX context, worker and endpoint to the other process, and memory that UCX has made.
//
// Threading: one thread. Ownership: everything of UCX's that it made.
#pragma once

#include <ucp/api/ucp.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>

#include "perf/endpoint.hpp"
#include "perf/plan.hpp"

namespace causeway::bench {

[[nodiscard]] tl::unexpected<Error> fail_ucs(const char* what, ucs_status_t status);

class Worker {
public:
    // `features`: UCP_FEATURE_TAG or UCP_FEATURE_RMA. With Wait::block it can sleep.
    [[nodiscard]] static Result<std::unique_ptr<Worker>> make(const perf::Plan& plan,
                                                              std::uint64_t features,
                                                              perf::SideChannel& side);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();

    [[nodiscard]] ucp_worker_h get() const { return worker_; }
    [[nodiscard]] ucp_ep_h peer() const { return peer_; }
    [[nodiscard]] ucp_context_h context() const { return context_; }

    // Makes progress until `ready()`, asleep in between where the plan says block.
    template<typename F>
    [[nodiscard]] Result<void> until(F&& ready) {
        std::uint64_t since = 0;
        for (unsigned idle = 1; !ready();) {
            if (ucp_worker_progress(worker_) != 0)
                continue;
            if (sleeps_)
                CW_TRY(sleep());
            else if (++idle % kTriesPerLook == 0)
                CW_TRY(look_at_clock(since));
        }
        return {};
    }
    // The result of a ucp_*_nbx: waits for it.
    [[nodiscard]] Result<void> finish(void* request, const char* what);

private:
    static constexpr unsigned kTriesPerLook = 1 << 20;

    Worker() = default;
    [[nodiscard]] Result<void> connect(perf::SideChannel& side);
    [[nodiscard]] Result<void> sleep();
    [[nodiscard]] static Result<void> look_at_clock(std::uint64_t& since);

    ucp_context_h context_ = nullptr;
    ucp_worker_h worker_ = nullptr;
    ucp_ep_h peer_ = nullptr;
    bool sleeps_ = false;
};

// Messages' places, one behind the other, as ucx_perftest has its buffers: from UCX itself.
class UcxMemory {
public:
    [[nodiscard]] static Result<UcxMemory> make(Worker& worker, std::size_t size);
    UcxMemory() = default;
    UcxMemory(UcxMemory&& other) noexcept;
    UcxMemory& operator=(UcxMemory&& other) noexcept;
    ~UcxMemory();

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] ucp_mem_h handle() const { return handle_; }

private:
    ucp_context_h context_ = nullptr;
    ucp_mem_h handle_ = nullptr;
    std::byte* data_ = nullptr;
};

// Bytes from one message's place to the next.
[[nodiscard]] std::size_t stride_of(const perf::Plan& plan);

[[nodiscard]] Result<std::unique_ptr<perf::Endpoint>> make_tag(const perf::Plan& plan,
                                                               perf::Role role,
                                                               perf::SideChannel& side);
[[nodiscard]] Result<std::unique_ptr<perf::Endpoint>> make_put(const perf::Plan& plan,
                                                               perf::Role role,
                                                               perf::SideChannel& side);

}  // namespace causeway::bench
