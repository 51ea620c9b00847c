// The other half of a convolution in the frequency domain: its complex matrix products.
#pragma once

#include <string>

namespace convoy::bench {

// Times the product of the convolution's forward pass at one frequency, for several sizes, on one thread, and
// gives a table of the share of peak. Operations are the real ones of the three-multiplication form: six for
// each complex multiplication and addition.
std::string product_table(int repetitions);

}  // namespace convoy::bench
