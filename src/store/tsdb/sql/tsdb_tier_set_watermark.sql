-- Set the watermark of a tier file. $1 ms.
UPDATE state SET watermark = $1
