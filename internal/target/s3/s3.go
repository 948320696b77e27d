package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/internal/target"
)

const (
	// partSize makes a file of up to 312 GiB of the 10,000 parts that S3 allows.
	partSize = 32 << 20
	// small files are sent at once, without the memory of a part.
	small = 1 << 20
	// retries of one request; a target that is away is tried again by who has the time.
	retries = 3

	silence = time.Minute // of a server that was asked
)

// Settings say where a bucket is.
type Settings struct {
	Endpoint string // http(s)://host:port; empty: of Amazon
	Region   string
	Bucket   string
	Prefix   string // a folder in it; may be empty
	Access   string // empty: by the variables of the environment that Amazon's tools read
	Secret   string
}

// Bucket is a target.
type Bucket struct {
	client *minio.Client
	bucket string
	prefix string // with its slash, or empty
	place  string // for people
	idle   func()
}

// New takes a bucket that is there.
func New(ctx context.Context, s Settings) (*Bucket, error) {
	b := &Bucket{bucket: s.Bucket, place: "s3://" + strings.TrimSuffix(s.Bucket+"/"+s.Prefix, "/")}
	if s.Prefix != "" {
		if err := target.CheckName(s.Prefix); err != nil {
			return nil, err
		}
		b.prefix = s.Prefix + "/"
	}
	endpoint, secure := "s3.amazonaws.com", true
	if s.Endpoint != "" {
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, target.BadAddress(b.place, "endpoint", nil) // the error has the address, and whatever is in it
		}
		endpoint, secure = u.Host, u.Scheme == "https"
	}
	creds := credentials.NewEnvAWS()
	if s.Access != "" {
		creds = credentials.NewStaticV4(s.Access, s.Secret, "")
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, err
	}
	transport.ResponseHeaderTimeout = silence
	b.idle = transport.CloseIdleConnections
	b.client, err = minio.New(endpoint, &minio.Options{Creds: creds, Secure: secure, Region: s.Region, Transport: transport, MaxRetries: retries})
	if err != nil {
		return nil, target.BadAddress(b.place, "endpoint", err)
	}
	// An identity that may only write may not ask for the bucket: then a put will tell.
	found, err := b.client.BucketExists(ctx, s.Bucket)
	if err == nil && !found {
		return nil, target.NoPlace(b.place, nil)
	}
	if err != nil && minio.ToErrorResponse(err).StatusCode != http.StatusForbidden {
		return nil, b.of("", err)
	}
	return b, nil
}

// of says of an error what it says of the place.
func (b *Bucket) of(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == "NoSuchBucket":
		return target.NoPlace(b.place, err)
	case answer.Code == "NoSuchKey" || answer.StatusCode == http.StatusNotFound:
		return target.Missing(b.place, name, err)
	case answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusMethodNotAllowed:
		return target.Denied(b.place, name, err)
	case answer.StatusCode == http.StatusInsufficientStorage || strings.Contains(answer.Code, "StorageFull") || strings.Contains(answer.Code, "QuotaExceeded"),
		strings.Contains(answer.Message, "no space left on device"):
		return target.Full(b.place, name, err)
	}
	return target.Gone(b.place, name, err)
}

// Put writes a file.
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader) error {
	if err := target.CheckName(name); err != nil {
		return err
	}
	in := target.NewInput(ctx, r)
	start := make([]byte, small)
	n, err := io.ReadFull(in, start)
	options := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize}
	switch {
	case in.Err() != nil:
		return in.Err()
	case err != nil: // it has ended
		_, err = b.client.PutObject(ctx, b.bucket, b.prefix+name, bytes.NewReader(start[:n]), int64(n), options)
	default:
		_, err = b.client.PutObject(ctx, b.bucket, b.prefix+name, io.MultiReader(bytes.NewReader(start), in), -1, options)
	}
	if in.Err() != nil {
		return in.Err()
	}
	return b.of(name, err)
}

// Open reads a file.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	if err := target.CheckName(name); err != nil {
		return nil, 0, err
	}
	file, err := b.client.GetObject(ctx, b.bucket, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, 0, b.of(name, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(b.of(name, err), file.Close())
	}
	return &reader{file, b, name}, info.Size, nil
}

// reader tells by its errors that the place is to blame.
type reader struct {
	*minio.Object
	b    *Bucket
	name string
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Object.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers have it
		err = r.b.of(r.name, err)
	}
	return n, err
}

// Stat tells of a file.
func (b *Bucket) Stat(ctx context.Context, name string) (target.Object, error) {
	if err := target.CheckName(name); err != nil {
		return target.Object{}, err
	}
	info, err := b.client.StatObject(ctx, b.bucket, b.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return target.Object{}, b.of(name, err)
	}
	return target.Object{Name: name, Size: info.Size, Modified: info.LastModified}, nil
}

// List lists files.
func (b *Bucket) List(ctx context.Context, prefix string) ([]target.Object, error) {
	if err := target.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var all []target.Object
	for info := range b.client.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
		if info.Err != nil {
			return nil, b.of(prefix, info.Err)
		}
		name := strings.TrimPrefix(info.Key, b.prefix)
		if target.CheckName(name) == nil {
			all = append(all, target.Object{Name: name, Size: info.Size, Modified: info.LastModified})
		}
	}
	return all, ctx.Err()
}

// Delete removes a file.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if _, err := b.Stat(ctx, name); err != nil { // S3 is content with deleting nothing
		return err
	}
	return b.of(name, b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{}))
}

// Sweep aborts uploads that were neither completed nor aborted.
func (b *Bucket) Sweep(ctx context.Context, age time.Duration) (int, error) {
	n := 0
	core := minio.Core{Client: b.client}
	for upload := range b.client.ListIncompleteUploads(ctx, b.bucket, b.prefix, true) {
		if unknown(upload.Err) { // so some servers say that there never was any
			return n, nil
		}
		if upload.Err != nil {
			return n, b.of("", upload.Err)
		}
		// Servers have been seen that name folders instead. To abort an upload without a name
		// is to delete a file.
		if upload.UploadID == "" || !strings.HasPrefix(upload.Key, b.prefix) || time.Since(upload.Initiated) < age {
			continue
		}
		if err := core.AbortMultipartUpload(ctx, b.bucket, upload.Key, upload.UploadID); unknown(err) {
			continue // it was ended meanwhile
		} else if err != nil {
			return n, b.of("", err)
		}
		n++
	}
	return n, ctx.Err()
}

func unknown(err error) bool {
	return err != nil && minio.ToErrorResponse(err).Code == minio.NoSuchUpload
}

// Close lets go of connections.
func (b *Bucket) Close() error {
	b.idle()
	return nil
}

var _ target.Target = (*Bucket)(nil)
