#include "io/block/unit/unit.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "platform/clock.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;
using messaging::Channel;
using messaging::Message;

constexpr std::uint64_t kLookAgainNs = 1'000'000;  // at what waits for something that does not ring
constexpr std::size_t kMostHosts = 256;            // whose figures are kept once they have gone
constexpr std::size_t kMostText = 512;

}  // namespace

Result<std::unique_ptr<BlockUnit>> BlockUnit::open(std::shared_ptr<client::Partition> partition,
                                                   const UnitTerms& terms, Image& image) {
    std::unique_ptr<BlockUnit> unit(new BlockUnit(terms, image));
    if (::getrandom(&unit->run_, sizeof unit->run_, 0) != sizeof unit->run_)
        return fail_errno("getrandom for a disk", errno);
    CW_TRY(unit->chunks_.make(partition, kSmallChunks));
    CW_TRY_ASSIGN(unit->device_,
                  Device::make(image, terms.engine, {unit->chunks_.data(), unit->chunks_.size()}));
    CW_TRY_ASSIGN(unit->service_, messaging::Service::open(std::move(partition), terms.name,
                                                           channel_terms(terms.executor)));
    return unit;
}

// What the device still does for a host is waited for while its memory is there.
BlockUnit::~BlockUnit() { device_.reset(); }

BlockUnit::Host& BlockUnit::host_named(const std::string& name) {
    const auto found = std::find_if(hosts_.begin(), hosts_.end(),
                                    [&](const auto& host) { return host->name == name; });
    if (found != hosts_.end()) {
        Host& host = **found;
        if (host.guests == 0)
            host.party = queue_.add(host.terms.allowance, now_ns_);
        return host;
    }
    auto host = std::make_unique<Host>();
    host->name = name;
    const auto named = terms_.hosts.find(name);
    host->terms = named == terms_.hosts.end() ? terms_.others : named->second;
    if (hosts_.size() >= kMostHosts)
        std::erase_if(hosts_, [](const auto& each) {
            return each->guests == 0 && each->small_chunks + each->large_chunks == 0;
        });
    hosts_.push_back(std::move(host));
    hosts_.back()->party = queue_.add(hosts_.back()->terms.allowance, now_ns_);
    return *hosts_.back();
}

void BlockUnit::opened(Channel& channel) noexcept {
    channel.user = nullptr;
    try {
        auto guest = std::make_unique<Guest>();
        guest->channel = &channel;
        guest->host = &host_named(channel.peer());
        ++guest->host->guests;
        guests_.push_back(std::move(guest));
        channel.user = guests_.back().get();
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it gets no answers
    }
}

void BlockUnit::ended(Channel& channel) noexcept {
    auto* const guest = static_cast<Guest*>(channel.user);
    if (guest == nullptr)
        return;
    Host& host = *guest->host;
    postponed_ -= guest->postponed.size();
    unanswered_ -= guest->unanswered.size();
    queue_.drop(host.party, [&](std::uint32_t number) { return jobs_[number].guest == guest; });
    for (std::uint32_t number = 0; number < jobs_.size(); ++number) {
        Job& job = jobs_[number];
        if (job.state == Job::State::free || job.guest != guest)
            continue;
        job.guest = nullptr;
        if (job.state == Job::State::queued || job.state == Job::State::answering)
            forget(number);
    }
    host.writers -= guest->writes ? 1 : 0;
    if (--host.guests == 0)
        queue_.remove(host.party);
    channel.user = nullptr;
    guests_.erase(std::find_if(guests_.begin(), guests_.end(),
                               [&](const auto& each) { return each.get() == guest; }));
}

// 0: it may; else why not.
int BlockUnit::judge(Guest& guest, std::uint32_t wanted, std::string& why) {
    const auto access = static_cast<wire::Access>(wanted);
    Host& host = *guest.host;
    const std::string disk = "disk " + terms_.name;
    if (access != wire::Access::read && access != wire::Access::write &&
        access != wire::Access::shared) {
        why = "an access that this unit does not know";
        return EINVAL;
    }
    if (host.terms.grant == Grant::none) {
        why = "partition " + host.name + " may not use " + disk;
        return EACCES;
    }
    if (access == wire::Access::read)
        return 0;
    if (image_.read_only() || host.terms.grant == Grant::read) {
        why = disk + " is there to be read only" +
              (image_.read_only() ? std::string() : ", by partition " + host.name);
        return EROFS;
    }
    const bool shares = access == wire::Access::shared;
    if (shares && host.terms.grant != Grant::shared) {
        why = "partition " + host.name + " may write to " + disk +
              " only as long as nobody else does: the unit was not told to share it";
        return EACCES;
    }
    for (const auto& other : hosts_) {
        if (other.get() == &host || other->writers == 0 || (shares && other->shares))
            continue;
        why = disk + " is written to by partition " + other->name +
              (shares ? ", which does not share" : "");
        return EBUSY;
    }
    if (host.writers != 0 && host.shares != shares) {
        why = "partition " + host.name + " writes to " + disk +
              (shares ? " as the only one already" : " as one of several already");
        return EBUSY;
    }
    host.shares = shares;
    return 0;
}

void BlockUnit::admit(Guest& guest, const Message& message) noexcept {
    wire::Open open{};
    if (message.length != sizeof open || guest.opened) {
        refuse(guest, EINVAL, "an open of another size, or a second one");
        return;
    }
    std::memcpy(&open, message.data, sizeof open);
    if (open.flags != 0 || open.more != 0) {
        refuse(guest, EINVAL, "an open that asks for what this unit does not know");
        return;
    }
    try {
        std::string why;
        if (const int error = judge(guest, open.access, why); error != 0) {
            refuse(guest, error, why);
            return;
        }
    } catch (const std::bad_alloc&) {
        refuse(guest, ENOMEM, {});
        return;
    }
    guest.opened = true;
    guest.writes = open.access != static_cast<std::uint32_t>(wire::Access::read);
    guest.host->writers += guest.writes ? 1 : 0;
    welcome(guest);
}

void BlockUnit::refuse(Guest& guest, int error, const std::string& why) noexcept {
    ++guest.host->counters.refused;
    const wire::Refused refused{static_cast<std::uint32_t>(error), 0};
    const std::size_t length = std::min(why.size(), kMostText);
    std::byte* const place = guest.channel->place();
    std::memcpy(place, &refused, sizeof refused);
    std::memcpy(place + sizeof refused, why.data(), length);
    (void)guest.channel->send_place(static_cast<std::uint16_t>(wire::Kind::refused), 0,
                                    static_cast<std::uint32_t>(sizeof refused + length));
}

void BlockUnit::welcome(Guest& guest) noexcept {
    namespace feature = wire::feature;
    const bool direct = std::string_view(guest.channel->executor()) == "direct";
    wire::Opened opened{};
    opened.size = image_.size();
    opened.unit = run_;
    opened.block = image_.block();
    opened.preferred = std::max(image_.block(), 4096U);
    opened.depth = kHostDepth;
    opened.features = feature::kZero | feature::kDiscard | feature::kExtents | feature::kFastZero |
                      (guest.writes ? 0 : feature::kReadOnly) | (direct ? feature::kInPlace : 0) |
                      (image_.rotational() ? feature::kRotational : 0);
    opened.most_moved = Chunks::kLarge;
    opened.most_in_place = direct ? kMostInPlace : 0;
    opened.most_deallocate = kMostDeallocate;
    std::memcpy(guest.channel->place(), &opened, sizeof opened);
    (void)guest.channel->send_place(static_cast<std::uint16_t>(wire::Kind::opened), 0,
                                    sizeof opened);
}

void BlockUnit::message(Channel& channel, const Message& message) noexcept {
    auto* const guest = static_cast<Guest*>(channel.user);
    if (guest == nullptr) {
        channel.release(message.token);
    } else if (message.kind == static_cast<std::uint16_t>(wire::Kind::open)) {
        admit(*guest, message);
        channel.release(message.token);
    } else {
        enqueue(*guest, message);
    }
}

bool BlockUnit::step() noexcept {
    now_ns_ = platform::monotonic_ns();
    bool any = service_->step(*this);
    for (const Ended& ended : device_->ended()) {
        any = true;
        finish(static_cast<std::uint32_t>(ended.cookie), ended.error);
    }
    any = answer_late() || any;
    return dispatch() || any;
}

std::uint64_t BlockUnit::settle(std::uint64_t until_ns) noexcept {
    until_ns = std::min(until_ns, queue_.next_moment());
    if (postponed_ != 0 || unanswered_ != 0)
        until_ns = std::min(until_ns, now_ns_ + kLookAgainNs);
    service_->settle(until_ns);
    return until_ns;
}

std::vector<BlockUnit::HostFigures> BlockUnit::figures() const {
    std::vector<HostFigures> all;
    for (const auto& host : hosts_) {
        const auto guest = std::find_if(guests_.begin(), guests_.end(),
                                        [&](const auto& each) { return each->host == host.get(); });
        all.push_back({host->name, guest == guests_.end() ? "" : (*guest)->channel->executor(),
                       host->writers != 0, host->counters});
    }
    return all;
}

}  // namespace causeway::io::block
