namespace StableTune;

/// <summary>Where the drawing of pictures stands. Reported after every step of the sampler, on the thread that samples.</summary>
/// <param name="ImagesDone">Pictures finished.</param>
/// <param name="ImageCount">Pictures in all.</param>
/// <param name="Step">Steps done for the pictures being drawn now, from 1.</param>
/// <param name="TotalSteps">Steps of each picture.</param>
public sealed record SamplingProgress(int ImagesDone, int ImageCount, int Step, int TotalSteps);
