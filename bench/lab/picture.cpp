#include "lab/report.hpp"

namespace causeway::bench {

std::string picture_of(const Results&) { return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"; }

}  // namespace causeway::bench
