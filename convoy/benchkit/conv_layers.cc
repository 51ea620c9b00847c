#include "convoy/benchkit/conv_layers.h"

#include <span>

namespace convoy::benchkit {
namespace {

// A layer as it is written down.
struct Row {
  std::string_view name;
  std::string_view problem;
  int multiplicity = 1;
};

constexpr Row kConvnetBenchmarks[] = {
    {"L1", "n8c3h128k96r11s1p0"},   {"L2", "n4c64h64k128r9s1p0"},   {"L3", "n8c128h32k128r9s1p0"},
    {"L4", "n16c128h16k128r7s1p0"}, {"L5", "n16c384h13k384r3s1p0"},
};

constexpr Row kAlexNet[] = {
    {"1", "n16c3h224k64r11s4p2"},  {"2", "n16c64h27k192r5s1p2"},  {"3", "n16c192h13k384r3s1p1"},
    {"4", "n16c384h13k256r3s1p1"}, {"5", "n16c256h13k256r3s1p1"},
};

constexpr Row kVgg16[] = {
    {"1_1", "n4c3h224k64r3s1p1"},    {"1_2", "n2c64h224k64r3s1p1"},     {"2_1", "n4c64h112k128r3s1p1"},
    {"2_2", "n2c128h112k128r3s1p1"}, {"3_1", "n4c128h56k256r3s1p1"},    {"3_2", "n2c256h56k256r3s1p1", 2},
    {"4_1", "n4c256h28k512r3s1p1"},  {"4_2", "n4c512h28k512r3s1p1", 2}, {"5", "n8c512h14k512r3s1p1", 3},
};

constexpr Row kGoogLeNet[] = {
    {"1 7x7", "n16c3h224k64r7s2p3"},           {"2 reduce", "n16c64h56k64r1s1p0"},
    {"2 3x3", "n16c64h56k192r3s1p1"},          {"3a 1x1", "n16c192h28k64r1s1p0"},
    {"3a 3x3 reduce", "n16c192h28k96r1s1p0"},  {"3a 3x3", "n16c96h28k128r3s1p1"},
    {"3a 5x5 reduce", "n16c192h28k16r1s1p0"},  {"3a 5x5", "n16c16h28k32r5s1p2"},
    {"3a pool proj", "n16c192h28k32r1s1p0"},   {"3b 1x1", "n16c256h28k128r1s1p0", 2},
    {"3b 3x3", "n16c128h28k192r3s1p1"},        {"3b 5x5 reduce", "n16c256h28k32r1s1p0"},
    {"3b 5x5", "n16c32h28k96r5s1p2"},          {"3b pool proj", "n16c256h28k64r1s1p0"},
    {"4a 1x1", "n16c480h14k192r1s1p0"},        {"4a 3x3 reduce", "n16c480h14k96r1s1p0"},
    {"4a 3x3", "n16c96h14k208r3s1p1"},         {"4a 5x5 reduce", "n16c480h14k16r1s1p0"},
    {"4a 5x5", "n16c16h14k48r5s1p2"},          {"4a pool proj", "n16c480h14k64r1s1p0"},
    {"4b 1x1", "n16c512h14k160r1s1p0"},        {"4b 3x3 reduce", "n16c512h14k112r1s1p0", 2},
    {"4b 3x3", "n16c112h14k224r3s1p1"},        {"4b 5x5 reduce", "n16c512h14k24r1s1p0", 2},
    {"4b 5x5", "n16c24h14k64r5s1p2", 2},       {"4b pool proj", "n16c512h14k64r1s1p0", 3},
    {"4c 1x1", "n16c512h14k128r1s1p0", 2},     {"4c 3x3", "n16c128h14k256r3s1p1"},
    {"4d 3x3 reduce", "n16c512h14k144r1s1p0"}, {"4d 3x3", "n16c144h14k288r3s1p1"},
    {"4d 5x5 reduce", "n16c512h14k32r1s1p0"},  {"4d 5x5", "n16c32h14k64r5s1p2"},
    {"4e 1x1", "n16c528h14k256r1s1p0"},        {"4e 3x3 reduce", "n16c528h14k160r1s1p0"},
    {"4e 3x3", "n16c160h14k320r3s1p1"},        {"4e 5x5 reduce", "n16c528h14k32r1s1p0"},
    {"4e 5x5", "n16c32h14k128r5s1p2"},         {"4e pool proj", "n16c528h14k128r1s1p0"},
    {"5a 1x1", "n16c832h7k256r1s1p0"},         {"5a 3x3 reduce", "n16c832h7k160r1s1p0"},
    {"5a 3x3", "n16c160h7k320r3s1p1"},         {"5a 5x5 reduce", "n16c832h7k32r1s1p0"},
    {"5a 5x5", "n16c32h7k128r5s1p2"},          {"5a pool proj", "n16c832h7k128r1s1p0", 2},
    {"5b 1x1", "n16c832h7k384r1s1p0"},         {"5b 3x3 reduce", "n16c832h7k192r1s1p0"},
    {"5b 3x3", "n16c192h7k384r3s1p1"},         {"5b 5x5 reduce", "n16c832h7k48r1s1p0"},
    {"5b 5x5", "n16c48h7k128r5s1p2"},
};

// Version 1.5: the 3x3 convolution of a block has its stride.
constexpr Row kResNet50[] = {
    {"conv1 3-64 k7s2", "n8c3h224k64r7s2p3"},      {"2 1x1 64-64", "n8c64h56k64r1s1p0"},
    {"2 3x3 64-64", "n8c64h56k64r3s1p1", 3},       {"2 1x1 64-256", "n8c64h56k256r1s1p0", 4},
    {"2 1x1 256-64", "n8c256h56k64r1s1p0", 2},     {"3 1x1 256-128", "n8c256h56k128r1s1p0"},
    {"3 3x3 128 s2", "n8c128h56k128r3s2p1"},       {"3 1x1 256-512 s2", "n8c256h56k512r1s2p0"},
    {"3 3x3 128", "n8c128h28k128r3s1p1", 3},       {"3 1x1 128-512", "n8c128h28k512r1s1p0", 4},
    {"3 1x1 512-128", "n8c512h28k128r1s1p0", 3},   {"4 1x1 512-256", "n8c512h28k256r1s1p0"},
    {"4 3x3 256 s2", "n8c256h28k256r3s2p1"},       {"4 1x1 512-1024 s2", "n8c512h28k1024r1s2p0"},
    {"4 3x3 256", "n8c256h14k256r3s1p1", 5},       {"4 1x1 256-1024", "n8c256h14k1024r1s1p0", 6},
    {"4 1x1 1024-256", "n8c1024h14k256r1s1p0", 5}, {"5 1x1 1024-512", "n8c1024h14k512r1s1p0"},
    {"5 3x3 512 s2", "n8c512h14k512r3s2p1"},       {"5 1x1 1024-2048 s2", "n8c1024h14k2048r1s2p0"},
    {"5 3x3 512", "n8c512h7k512r3s1p1", 2},        {"5 1x1 512-2048", "n8c512h7k2048r1s1p0", 3},
    {"5 1x1 2048-512", "n8c2048h7k512r1s1p0", 2},
};

constexpr Row kLeNet5[] = {
    {"conv1", "n64c1h28k6r5s1p2"},
    {"conv2", "n64c6h14k16r5s1p0"},
};

constexpr Row kDeepBench[] = {
    {"1", "n4c1h161w700k32r5q20s2p0"},  {"2", "n4c32h79w341k32r5q10s2p0"},  {"3", "n16c1h48w480k16r3s1p1"},
    {"4", "n16c16h24w240k32r3s1p1"},    {"5", "n16c32h12w120k64r3s1p1"},    {"6", "n16c64h6w60k128r3s1p1"},
    {"7", "n8c3h108k64r3s2p1"},         {"8", "n8c64h54k64r3s1p1"},         {"9", "n8c128h27k128r3s1p1"},
    {"10", "n8c128h14k256r3s1p1"},      {"11", "n8c256h7k512r3s1p1"},       {"12", "n8c3h224k64r3s1p1"},
    {"13", "n8c64h112k128r3s1p1"},      {"14", "n8c128h56k256r3s1p1"},      {"15", "n8c256h28k512r3s1p1"},
    {"16", "n8c512h14k512r3s1p1"},      {"17", "n8c512h7k512r3s1p1"},       {"18", "n16c3h224k64r7s2p3"},
    {"19", "n16c192h28k32r5s1p2"},      {"20", "n16c192h28k64r1s1p0"},      {"21", "n16c512h14k48r5s1p2"},
    {"22", "n16c512h14k192r1s1p0"},     {"23", "n16c832h7k256r1s1p0"},      {"24", "n16c832h7k128r5s1p2"},
    {"25", "n8c64h56k64r3s1p1"},        {"26", "n8c64h56k256r1s2p0"},       {"27", "n8c128h28k128r3s1p1"},
    {"28", "n8c128h28k512r1s2p0"},      {"29", "n8c256h14k256r1s1p0"},      {"30", "n8c256h14k256r3s1p1"},
    {"31", "n8c256h14k1024r1s2p0"},     {"32", "n8c512h7k512r1s1p0"},       {"33", "n8c2048h7k512r1s2p3"},
    {"34", "n16c1h161w700k64r5s2p1"},   {"35", "n16c64h80w350k64r3s1p1"},   {"36", "n16c64h80w350k128r5s2p1"},
    {"37", "n16c128h40w175k128r3s1p1"}, {"38", "n16c128h40w175k256r5s2p1"}, {"39", "n16c256h20w84k256r3s1p1"},
    {"40", "n16c256h20w84k512r5s2p1"},  {"41", "n16c512h10w42k512r3s1p1"},  {"42", "n8c64h112k64r1s1p0"},
    {"43", "n8c64h56k256r1s1p0"},       {"44", "n8c256h56k64r1s1p0"},       {"45", "n8c256h56k128r1s2p0"},
    {"46", "n8c128h28k512r1s1p0"},      {"47", "n8c512h28k128r1s1p0"},      {"48", "n8c512h28k256r1s2p0"},
    {"49", "n8c256h14k1024r1s1p0"},     {"50", "n8c512h28k1024r1s2p0"},     {"51", "n8c1024h14k256r1s1p0"},
    {"52", "n8c1024h14k512r1s2p0"},     {"53", "n8c512h7k2048r1s1p0"},      {"54", "n8c1024h14k2048r1s2p0"},
    {"55", "n8c2048h7k512r1s1p0"},
};

constexpr Row kKernelSweep[] = {
    {"3x3", "n32c64h56k64r3s1p1"},     {"5x5", "n32c64h56k64r5s1p2"},     {"7x7", "n32c64h56k64r7s1p3"},
    {"9x9", "n32c64h56k64r9s1p4"},     {"11x11", "n32c64h56k64r11s1p5"},  {"13x13", "n32c64h56k64r13s1p6"},
    {"15x15", "n32c64h56k64r15s1p7"},  {"17x17", "n32c64h56k64r17s1p8"},  {"21x21", "n32c64h56k64r21s1p10"},
    {"25x25", "n32c64h56k64r25s1p12"}, {"31x31", "n32c64h56k64r31s1p15"},
};

ConvSet make_set(std::string_view name, std::string_view description, std::span<const Row> rows) {
  ConvSet set{.name = name, .description = description, .layers = {}};
  for (const Row& row : rows)
    set.layers.push_back({.name = std::string(row.name),
                          .problem = ConvProblem::parse(row.problem).value(),
                          .multiplicity = row.multiplicity});
  return set;
}

}  // namespace

const std::vector<ConvSet>& conv_sets() {
  static const std::vector<ConvSet> sets = {
      make_set("convnet-benchmarks", "L1-L5 of soumith/convnet-benchmarks, batch 128 made smaller",
               kConvnetBenchmarks),
      make_set("alexnet", "AlexNet with one tower (Krizhevsky 2014)", kAlexNet),
      make_set("vgg16", "VGG-16 (Simonyan and Zisserman 2014)", kVgg16),
      make_set("googlenet", "GoogLeNet without its auxiliary heads (Szegedy et al. 2014)", kGoogLeNet),
      make_set("resnet50", "ResNet-50 with strides in the 3x3 layers (He et al. 2015)", kResNet50),
      make_set("lenet5", "LeNet-5, its second layer connected in full (LeCun et al. 1998)", kLeNet5),
      make_set("deepbench", "each shape of DeepBench's training convolutions, at its smallest batch",
               kDeepBench),
      make_set("kernel-sweep", "kernels of 3 to 31, 64 to 64 channels, 56x56 (as Vasilache et al. 2015)",
               kKernelSweep),
  };
  return sets;
}

const ConvSet* find_conv_set(std::string_view name) {
  for (const ConvSet& set : conv_sets())
    if (set.name == name) return &set;
  return nullptr;
}

}  // namespace convoy::benchkit
