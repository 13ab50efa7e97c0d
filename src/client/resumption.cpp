#include "client/resumption.hpp"

#include <causeway/abi/segment.hpp>

#include <algorithm>
#include <utility>

#include "base/names.hpp"
#include "client/secret.hpp"

namespace causeway::client {
namespace {

// What another attempt would not change. Everything else may pass: the adapter is still starting,
// is dying once more, or has not enough of something yet.
[[nodiscard]] constexpr bool is_final(ErrorCode code) noexcept {
    return code == ErrorCode::not_found || code == ErrorCode::denied ||
           code == ErrorCode::version || code == ErrorCode::unsupported ||
           code == ErrorCode::protocol;
}

// What cannot be ended because it is not there.
[[nodiscard]] Result<void> as_good(Error error) {
    if (error.code == ErrorCode::not_found)
        return {};
    return tl::unexpected(std::move(error));
}

}  // namespace

Resumption::Resumption(control::Channel channel, const Identity& identity, Holdings& holdings,
                       const std::vector<std::uint32_t>& ended)
    : channel_(std::move(channel)), identity_(identity), holdings_(holdings) {
    plan_.push_back({Request::attach, 0, 0});
    for (const HeldDoorbell& held : holdings.doorbells())
        plan_.push_back({Request::resume_doorbell, held.id, 0});
    for (const HeldRegion& held : holdings.regions()) {
        for (std::uint32_t part = 0; part < held.parts.size(); ++part)
            plan_.push_back({Request::resume_region, held.handle, part});
    }
    for (const HeldQueuePair& held : holdings.queue_pairs())
        plan_.push_back({Request::resume_queue_pair, held.id, 0});
    for (const HeldSegment& held : holdings.segments())
        plan_.push_back({Request::resume_segment, held.id, 0});
    plan_.push_back({Request::resume_done, 0, 0});
    for (const std::uint32_t listener : ended)
        end(Kind::listener, listener);
}

Resumption::Outcome Resumption::step() {
    while (turn_ != plan_.size()) {
        const Turn turn = plan_[turn_];
        if (!asked_) {
            auto asked = ask(turn);
            if (!asked.has_value())
                return failed(std::move(asked).error());
            asked_ = *asked == Asked::yes;
        }
        if (asked_) {
            if (!channel_.answered())
                return Outcome::working;
            auto answered = take_answer(turn);
            if (!answered.has_value())
                return failed(std::move(answered).error());
            asked_ = false;
        }
        ++turn_;
    }
    return Outcome::resumed;
}

void Resumption::end(Kind kind, std::uint32_t id, std::uint32_t generation) {
    switch (kind) {
        case Kind::doorbell:
            plan_.push_back({Request::close_doorbell, id, 0});
            break;
        case Kind::region:
            plan_.push_back({Request::deregister_region, id, generation});
            break;
        case Kind::queue_pair:
            plan_.push_back({Request::disconnect, id, 0});
            break;
        case Kind::listener:
            plan_.push_back({Request::close_listener, id, 0});
            break;
        case Kind::segment:
            plan_.push_back({Request::close_segment, id, 0});
            break;
    }
}

Resumption::Outcome Resumption::failed(Error error) {
    asked_ = false;
    why_ = std::move(error);
    return is_final(why_.code) ? Outcome::refused : Outcome::again;
}

bool Resumption::knows(Kind kind, std::uint32_t id) const noexcept {
    const Request request = kind == Kind::doorbell  ? Request::resume_doorbell
                            : kind == Kind::region  ? Request::resume_region
                            : kind == Kind::segment ? Request::resume_segment
                                                    : Request::resume_queue_pair;
    const std::size_t seen = std::min(plan_.size(), turn_ + (asked_ ? 1 : 0));
    return std::any_of(plan_.begin(), plan_.begin() + static_cast<std::ptrdiff_t>(seen),
                       [&](const Turn& t) { return t.request == request && t.id == id; });
}

Result<Resumption::Asked> Resumption::ask(const Turn& turn) {
    switch (turn.request) {
        case Request::attach:
            CW_TRY(ask_attach());
            return Asked::yes;
        case Request::resume_doorbell: {
            const HeldDoorbell* held = holdings_.doorbell(turn.id);
            if (held == nullptr)
                return Asked::passed_over;
            auto request = control::make<abi::ResumeDoorbellRequest>(turn.request);
            request.doorbell = turn.id;
            CW_TRY(channel_.ask(request, held->page.get()));
            return Asked::yes;
        }
        case Request::resume_region: {
            const HeldRegion* held = holdings_.region(turn.id);
            if (held == nullptr)
                return Asked::passed_over;
            auto request = control::make<abi::ResumeRegionRequest>(turn.request);
            request.handle = turn.id;
            request.generation = held->generation;
            request.part = turn.part;
            CW_TRY(channel_.ask(request, held->parts[turn.part]));
            return Asked::yes;
        }
        case Request::resume_queue_pair: {
            const HeldQueuePair* held = holdings_.queue_pair(turn.id);
            if (held == nullptr)
                return Asked::passed_over;
            auto request = control::make<abi::ResumeQueuePairRequest>(turn.request);
            request.queue_pair = turn.id;
            CW_TRY(channel_.ask(request, held->memory.get()));
            return Asked::yes;
        }
        case Request::resume_segment: {
            const HeldSegment* held = holdings_.segment(turn.id);
            if (held == nullptr)
                return Asked::passed_over;
            auto request = control::make<abi::SegmentRequest>(turn.request);
            request.segment = turn.id;
            CW_TRY(channel_.ask(request, held->memory.get()));
            return Asked::yes;
        }
        case Request::resume_done:
            CW_TRY(channel_.ask(control::make<abi::ResumeDoneRequest>(turn.request)));
            return Asked::yes;
        default:
            CW_TRY(ask_end(turn));
            return Asked::yes;
    }
}

Result<void> Resumption::ask_end(const Turn& turn) {
    switch (turn.request) {
        case Request::close_doorbell: {
            auto request = control::make<abi::DoorbellRequest>(turn.request);
            request.doorbell = turn.id;
            return channel_.ask(request);
        }
        case Request::deregister_region: {
            auto request = control::make<abi::RegionRequest>(turn.request);
            request.handle = turn.id;
            request.generation = turn.part;
            return channel_.ask(request);
        }
        case Request::close_segment: {
            auto request = control::make<abi::SegmentRequest>(turn.request);
            request.segment = turn.id;
            return channel_.ask(request);
        }
        case Request::disconnect: {
            auto request = control::make<abi::DisconnectRequest>(turn.request);
            request.queue_pair = turn.id;
            return channel_.ask(request);
        }
        default: {
            auto request = control::make<abi::CloseListenerRequest>(turn.request);
            request.listener = turn.id;
            return channel_.ask(request);
        }
    }
}

Result<void> Resumption::ask_attach() {
    auto request = control::make<abi::AttachRequest>(Request::attach);
    CW_TRY(bring_secret(request));
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    request.features = abi::feature::kReturns;
    request.flags = abi::attach_flag::kResume;
    request.session = identity_.session;
    std::copy(std::begin(identity_.token), std::end(identity_.token), std::begin(request.token));
    CW_TRY(store_text(request.name, identity_.name));
    return channel_.ask(request);
}

Result<void> Resumption::take_answer(const Turn& turn) {
    switch (turn.request) {
        case Request::attach:
            return take_attach();
        case Request::resume_doorbell: {
            platform::UniqueFd fresh;
            CW_TRY(channel_.answer_empty(&fresh));
            if (HeldDoorbell* held = holdings_.doorbell(turn.id); held != nullptr)
                held->fresh = std::move(fresh);
            return {};
        }
        case Request::deregister_region: {
            auto ended = channel_.answer<abi::DeregisterReply>();
            return ended.has_value() ? Result<void>() : as_good(std::move(ended).error());
        }
        case Request::resume_segment: {
            // It may be configured no more, or not for this partition: that ends this opening only.
            auto resumed = channel_.answer_empty();
            if (!resumed.has_value() && resumed.error().code == ErrorCode::denied)
                return {};
            return resumed.has_value() ? resumed : as_good(std::move(resumed).error());
        }
        case Request::close_doorbell:
        case Request::disconnect:
        case Request::close_segment:
        case Request::close_listener: {
            auto ended = channel_.answer_empty();
            return ended.has_value() ? ended : as_good(std::move(ended).error());
        }
        default:
            return channel_.answer_empty();
    }
}

Result<void> Resumption::take_attach() {
    CW_TRY_ASSIGN(terms_, channel_.answer<abi::AttachReply>());
    if (terms_.major != abi::kMajor) {
        return fail_format(ErrorCode::version,
                           "the adapter speaks protocol version %u now, this library %u: update "
                           "the older of the two",
                           terms_.major, abi::kMajor);
    }
    if (terms_.session != identity_.session) {
        return fail_format(ErrorCode::protocol,
                           "the adapter took session %u for session %u: are it and this library "
                           "of the same release?",
                           identity_.session, terms_.session);
    }
    return {};
}

}  // namespace causeway::client
