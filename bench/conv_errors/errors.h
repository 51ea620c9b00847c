// The errors of convolution algorithms against float64, layer by layer.
#pragma once

#include <string>
#include <vector>

#include "convoy/kernels/kernel.h"

namespace convoy::bench {

// The algorithms whose order of errors the literature gives: Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks (CVPR 2016), table 3; Barabasz et al., Error Analysis and Improving the
// Accuracy of Winograd Convolution (ACM TOMS 2020). In the order of the tables.
inline const std::vector<std::string> kErrorAlgorithms = {"direct",      "im2col",      "winograd:f2",
                                                          "winograd:f4", "winograd:f6", "fft"};

// 3x3 layers of 64 … 512 channels, to as many.
inline const std::vector<std::string> kErrorLayers = {"n1c64h56k64r3s1p1", "n1c128h28k128r3s1p1",
                                                      "n1c256h28k256r3s1p1", "n1c512h14k512r3s1p1"};

// One algorithm on one layer.
struct LayerError {
  std::string algorithm;
  double largest = 0;  // largest |result - reference| over the largest |reference|
  double rms = 0;      // root mean squares instead
  double share_of_bound = 0;
};

// On data uniform on [-1, 1], the same for all; at up to 4,096 positions. Algorithms that do not serve the
// layer on this processor are left out.
std::vector<LayerError> layer_errors(const std::string& layer, kernels::Pass pass);

}  // namespace convoy::bench
