// Tag-matched messages into posted receives.
#include <vector>

#include "worker.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr ucp_tag_t kTag = 1;
constexpr ucp_tag_t kWholeTag = ~ucp_tag_t{0};

class TagEndpoint final : public Endpoint {
public:
    TagEndpoint(const Plan& plan, std::unique_ptr<Worker> worker)
        : plan_(plan),
          worker_(std::move(worker)),
          stride_(stride_of(plan)),
          sends_(plan.outstanding),
          receives_(plan.buffers) {}
    ~TagEndpoint() override {
        for (void* const request : receives_) {
            if (request == nullptr)
                continue;
            ucp_request_cancel(worker_->get(), request);
            ucp_request_free(request);
        }
    }

    Result<void> open() {
        CW_TRY_ASSIGN(outgoing_, UcxMemory::make(*worker_, stride_ * plan_.buffers));
        CW_TRY_ASSIGN(incoming_, UcxMemory::make(*worker_, stride_ * plan_.buffers));
        for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
            CW_TRY(post(slot));
        return {};
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return {outgoing_.data() + slot * stride_, plan_.size};
    }
    Result<void> submit(std::uint32_t slot) override {
        void*& place = sends_[next_send_];
        if (place != nullptr)
            CW_TRY(worker_->finish(std::exchange(place, nullptr), "send"));
        const ucp_request_param_t param{};
        void* const request = ucp_tag_send_nbx(worker_->peer(), outgoing_.data() + slot * stride_,
                                               plan_.size, kTag, &param);
        if (UCS_PTR_IS_ERR(request))
            return fail_ucs("ucp_tag_send_nbx", UCS_PTR_STATUS(request));
        if (request != nullptr) {
            place = request;
            next_send_ = next_send_ + 1 == sends_.size() ? 0 : next_send_ + 1;
        }
        return {};
    }
    // Everything must have left: nobody makes progress between the rounds.
    Result<void> flush() override {
        for (void*& request : sends_)
            CW_TRY(worker_->finish(std::exchange(request, nullptr), "send"));
        return {};
    }
    Result<void> complete() override { return flush(); }

    Result<std::span<std::byte>> receive() override {
        void*& request = receives_[taken_];
        if (request != nullptr)
            CW_TRY(worker_->finish(std::exchange(request, nullptr), "receive"));
        return std::span(incoming_.data() + taken_ * stride_, plan_.size);
    }
    Result<void> release() override {
        const std::uint32_t slot = taken_;
        taken_ = taken_ + 1 == plan_.buffers ? 0 : taken_ + 1;
        return post(slot);
    }
    std::string executor() const override { return "ucx"; }

private:
    // None is left for a message that was there already.
    [[nodiscard]] Result<void> post(std::uint32_t slot) {
        const ucp_request_param_t param{};
        void* const request = ucp_tag_recv_nbx(worker_->get(), incoming_.data() + slot * stride_,
                                               plan_.size, kTag, kWholeTag, &param);
        if (UCS_PTR_IS_ERR(request))
            return fail_ucs("ucp_tag_recv_nbx", UCS_PTR_STATUS(request));
        receives_[slot] = request;
        return {};
    }

    const Plan& plan_;
    std::unique_ptr<Worker> worker_;
    const std::size_t stride_;
    UcxMemory outgoing_;
    UcxMemory incoming_;
    std::vector<void*> sends_;     // requests on their way, in turn
    std::vector<void*> receives_;  // by slot
    std::size_t next_send_ = 0;
    std::uint32_t taken_ = 0;
};

}  // namespace

Result<std::unique_ptr<Endpoint>> make_tag(const Plan& plan, Role, SideChannel& side) {
    CW_TRY_ASSIGN(auto worker, Worker::make(plan, UCP_FEATURE_TAG, side));
    auto endpoint = std::make_unique<TagEndpoint>(plan, std::move(worker));
    CW_TRY(endpoint->open());
    return endpoint;
}

}  // namespace causeway::bench
